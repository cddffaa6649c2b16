rule report:
    # One file of every stage: whatever is missing is made again once the report is.
    input:
        simulated=[f"{RESULTS}/simulate/{name}.json" for name in COHORTS if CONFIG.science.cohorts[name].root is None],
        manifests=expand(f"{RESULTS}/index/{{cohort}}.json", cohort=COHORTS),
        drawn=f"{RESULTS}/split/drawn.json",
        split=f"{RESULTS}/split/split.json",
        stores=each_shard(HARMONIZED),
        scores=each_shard(SCORED),
        training=expand(f"{RESULTS}/train/{MODEL}/seed{{seed}}.json", seed=SEEDS),
        agreement=f"{RESULTS}/evaluate/{MODEL}.json",
        features=f"{RESULTS}/features/{MODEL}.json",
        subsets=each_shard(SUBSETS_FACTS) if ABLATED else [],
        predictions=expand(f"{RESULTS}/predict/{MODEL}/{{target}}.json", target=TARGETS),
    output:
        page=report(
            f"{RESULTS}/report/report.html",
            caption="../report/report.rst",
            category="Report",
        ),
        summary=f"{RESULTS}/report/report.json",
        provenance=f"{RESULTS}/report/provenance.json",
    log:
        f"{RESULTS}/logs/report/report.log",
    benchmark:
        f"{RESULTS}/logs/report/report.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=lambda wildcards: json.dumps(CONFIG.science.model_dump(mode="json"), sort_keys=True),
        code=code("report"),
        results=lambda wildcards: RESULTS,
    shell:
        "hypnoflow report --results {params.results:q} --out {output.page:q} --science {params.science:q} > {log:q} 2>&1"

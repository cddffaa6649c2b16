rule report:
    # One file of every stage: whatever is missing is made again once the report is.
    input:
        simulated=expand(PATH("simulate"), cohort=[c for c in COHORTS if CONFIG.science.cohorts[c].root is None]),
        manifests=expand(PATH("index"), cohort=COHORTS),
        drawn=PATH("draw"),
        stores=each_shard("harmonize"),
        splits=expand(PATH("split"), model=SCORED),
        trainings=[path for name in MODELS for path in expand(PATH("train"), model=name, run=runs(name))],
        scores=lambda wildcards: [path for name in SCORED for path in each_shard("score")({"model": name})],
        subsets=lambda wildcards: [path for name in IN_SUBSETS for path in each_shard("subsets")({"model": name})],
        agreement=lambda wildcards: [path for name in SCORED for path in each_shard("agreement")({"model": name})],
        evaluations=expand(PATH("evaluate"), model=SCORED),
        comparisons=expand(PATH("compare"), task=COMPARED),
        features=expand(PATH("features"), model=STAGING),
        predictions=expand(PATH("predict"), model=FINE, target=TARGETS),
    output:
        page=report(
            PATH("report", "page"),
            caption="../report/report.rst",
            category="Report",
        ),
        summary=PATH("report", "summary"),
        record=PATH("report"),
    log:
        LAYOUT.log("report"),
    benchmark:
        LAYOUT.benchmark("report")
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        # In the order of the config: the first entry that stages sleep is the one that the page is about.
        science=lambda wildcards: json.dumps(CONFIG.science.model_dump(mode="json")),
        code=code("report"),
        results=lambda wildcards: RESULTS,
    shell:
        "hypnoflow report --results {params.results:q} --out {output.page:q} --science {params.science:q} > {log:q} 2>&1"

rule predict:
    input:
        features=f"{RESULTS}/features/{{model}}.parquet",
        blocks=f"{RESULTS}/features/{{model}}.blocks.parquet",
        manifests=expand(f"{RESULTS}/index/{{cohort}}.parquet", cohort=COHORTS),
    output:
        table=f"{RESULTS}/predict/{{model}}/{{target}}.parquet",
        forests=f"{RESULTS}/predict/{{model}}/{{target}}.forests.parquet",
        summary=f"{RESULTS}/predict/{{model}}/{{target}}.json",
        discovery=f"{RESULTS}/predict/{{model}}/{{target}}.discovery.parquet",
        text=f"{RESULTS}/predict/{{model}}/{{target}}.discovery.csv",
    log:
        f"{RESULTS}/logs/predict/{{model}}/{{target}}.log",
    benchmark:
        f"{RESULTS}/logs/predict/{{model}}/{{target}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    # Targets side by side: small forests gain nothing from more cores. set-threads of a profile overrides it.
    threads: 1
    params:
        science=science("seed", "predict"),
        code=code("predict"),
        results=lambda wildcards: RESULTS,
    shell:
        "hypnoflow predict --features {input.features:q} --index {params.results:q}/index --target {wildcards.target}"
        " --out {output.table:q} --science {params.science:q} --threads {threads} > {log:q} 2>&1"

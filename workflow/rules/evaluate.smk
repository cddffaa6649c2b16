rule evaluate:
    input:
        split=f"{RESULTS}/split/split.parquet",
        manifests=expand(f"{RESULTS}/index/{{cohort}}.json", cohort=COHORTS),
        stores=each_shard(HARMONIZED),
        scores=each_shard(SCORED),
    output:
        table=f"{RESULTS}/evaluate/{{model}}.parquet",
        truth=f"{RESULTS}/evaluate/{{model}}.truth.parquet",
        summary=f"{RESULTS}/evaluate/{{model}}.json",
    log:
        f"{RESULTS}/logs/evaluate/{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/evaluate/{{model}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=science("seed", "evaluate"),
        code=CODE["evaluate"],
        results=lambda wildcards: RESULTS,
    shell:
        "hypnoflow evaluate --split {input.split:q} --harmonized {params.results:q}/harmonized"
        " --scores {params.results:q}/score/{wildcards.model} --index {params.results:q}/index --out {output.table:q}"
        " --science {params.science:q} > {log:q} 2>&1"

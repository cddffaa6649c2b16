rule features:
    input:
        split=f"{RESULTS}/split/split.parquet",
        stores=each_shard(HARMONIZED),
        scores=each_shard(SCORED),
    output:
        table=f"{RESULTS}/features/{{model}}.parquet",
    log:
        f"{RESULTS}/logs/features/{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/features/{{model}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=science("features"),
        code=CODE["features"],
        results=lambda wildcards: RESULTS,
    shell:
        "hypnoflow features --split {input.split:q} --harmonized {params.results:q}/harmonized"
        " --scores {params.results:q}/score/{wildcards.model} --out {output.table:q}"
        " --science {params.science:q} > {log:q} 2>&1"

rule features:
    input:
        split=f"{RESULTS}/split/split.parquet",
        stores=each_shard(HARMONIZED),
        scores=each_shard(SCORED),
    output:
        table=f"{RESULTS}/features/{{model}}.parquet",
        blocks=f"{RESULTS}/features/{{model}}.blocks.parquet",
        facts=f"{RESULTS}/features/{{model}}.json",
    log:
        f"{RESULTS}/logs/features/{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/features/{{model}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    threads: RUN.threads
    params:
        science=science("features"),
        code=CODE["features"],
        results=lambda wildcards: RESULTS,
    shell:
        "hypnoflow features --split {input.split:q} --harmonized {params.results:q}/harmonized"
        " --scores {params.results:q}/score/{wildcards.model} --out {output.table:q}"
        " --science {params.science:q} --threads {threads} > {log:q} 2>&1"

rule train:
    input:
        split=f"{RESULTS}/split/split.parquet",
        stores=each_shard(HARMONIZED),
    output:
        checkpoint=f"{RESULTS}/train/{{model}}/seed{{seed}}.ckpt",
        facts=f"{RESULTS}/train/{{model}}/seed{{seed}}.json",
        curve=f"{RESULTS}/train/{{model}}/seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/train/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/logs/train/{{model}}/seed{{seed}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    threads: RUN.threads
    resources:
        device=RUN.device,
        cache_mb=RUN.cache_mb,
    params:
        science=science("seed", "train"),
        code=CODE["train"],
        results=lambda wildcards: RESULTS,
    shell:
        "hypnoflow train --split {input.split:q} --harmonized {params.results:q}/harmonized --model {wildcards.model}"
        " --seed {wildcards.seed} --out {output.checkpoint:q} --science {params.science:q} --threads {threads}"
        " --device {resources.device} --cache-mb {resources.cache_mb} > {log:q} 2>&1"

rule ablate:
    input:
        split=f"{RESULTS}/split/split.parquet",
        sibling=f"{RESULTS}/harmonized/{{cohort}}/{{shard}}.json",
        checkpoints=expand(f"{RESULTS}/train/{{{{model}}}}/seed{{seed}}.ckpt", seed=SEEDS),
    output:
        table=f"{RESULTS}/evaluate/{{model}}/{{cohort}}/{{shard}}.parquet",
        attention=f"{RESULTS}/evaluate/{{model}}/{{cohort}}/{{shard}}.attention.parquet",
        facts=f"{RESULTS}/evaluate/{{model}}/{{cohort}}/{{shard}}.json",
    log:
        f"{RESULTS}/logs/ablate/{{model}}/{{cohort}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/logs/ablate/{{model}}/{{cohort}}/{{shard}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    # As for score: shards side by side use cores better than one network on several.
    threads: 1
    resources:
        device=RUN.device,
    params:
        science=science("seed", evaluate={"subsets"}),
        code=code("ablate"),
        harmonized=lambda wildcards, input: str(Path(input.sibling).with_suffix(".zarr")),
        models=lambda wildcards, input: [f"--model={path}" for path in input.checkpoints],
    shell:
        "hypnoflow ablate {params.harmonized:q} {params.models:q} --split {input.split:q} --out {output.table:q}"
        " --science {params.science:q} --threads {threads} --device {resources.device} > {log:q} 2>&1"


rule evaluate:
    input:
        split=f"{RESULTS}/split/split.parquet",
        manifests=expand(f"{RESULTS}/index/{{cohort}}.json", cohort=COHORTS),
        stores=each_shard(HARMONIZED),
        scores=each_shard(SCORED),
        subsets=each_shard(SUBSETS) if ABLATED else [],
    output:
        table=f"{RESULTS}/evaluate/{{model}}.parquet",
        cohorts=f"{RESULTS}/evaluate/{{model}}.cohorts.parquet",
        text=f"{RESULTS}/evaluate/{{model}}.cohorts.csv",
        events=f"{RESULTS}/evaluate/{{model}}.events.parquet",
        truth=f"{RESULTS}/evaluate/{{model}}.truth.parquet",
        summary=f"{RESULTS}/evaluate/{{model}}.json",
    log:
        f"{RESULTS}/logs/evaluate/{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/evaluate/{{model}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=science("seed", "evaluate", features=INTRUSIONS),
        code=code("evaluate"),
        results=lambda wildcards: RESULTS,
        subsets=lambda wildcards: f"--subsets={RESULTS}/evaluate/{wildcards.model}" if ABLATED else [],
    shell:
        "hypnoflow evaluate --split {input.split:q} --harmonized {params.results:q}/harmonized"
        " --scores {params.results:q}/score/{wildcards.model} --index {params.results:q}/index --out {output.table:q}"
        " {params.subsets:q} --science {params.science:q} > {log:q} 2>&1"

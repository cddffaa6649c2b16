FROZEN = CONFIG.science.train.frozen
DRAWN = f"{RESULTS}/split/drawn.parquet"
SPLIT_OPTIONS = science(
    "seed",
    "split",
    cohorts=lambda wildcards: {name: cohort_options(name, "held_out") for name in COHORTS},
)


# What a training reads. It waits for the stores in the training's place, whose one input it is: a finished training
# that is kept must not see its list of inputs grow.
rule draw:
    input:
        manifests=expand(f"{RESULTS}/index/{{cohort}}.parquet", cohort=COHORTS),
        lists=CONFIG.science.split.file or [],
        stores=each_shard(HARMONIZED),
    output:
        # A draw that fails must not take the old table away, or a kept training would begin anew; it takes the text,
        # which `split` waits for, so that the draw is made again.
        table=update(DRAWN) if FROZEN else DRAWN,
        text=f"{RESULTS}/split/drawn.csv",
        facts=f"{RESULTS}/split/drawn.json",
    log:
        f"{RESULTS}/logs/split/draw.log",
    benchmark:
        f"{RESULTS}/logs/split/draw.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=SPLIT_OPTIONS,
        code=code("split"),
    shell:
        "hypnoflow split {input.manifests:q} --out {output.table:q} --science {params.science:q} > {log:q} 2>&1"


# The same draw, in which whom a training has seen stays seen; what every later stage reads.
rule split:
    input:
        manifests=expand(f"{RESULTS}/index/{{cohort}}.parquet", cohort=COHORTS),
        lists=CONFIG.science.split.file or [],
        drawn=f"{RESULTS}/split/drawn.csv",
        seen=expand(f"{RESULTS}/train/{MODEL}/seed{{seed}}.seen.parquet", seed=SEEDS),
    output:
        table=f"{RESULTS}/split/split.parquet",
        text=f"{RESULTS}/split/split.csv",
        facts=f"{RESULTS}/split/split.json",
    log:
        f"{RESULTS}/logs/split/split.log",
    benchmark:
        f"{RESULTS}/logs/split/split.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=SPLIT_OPTIONS,
        code=code("split"),
        seen=lambda wildcards, input: [f"--seen={path}" for path in input.seen],
    shell:
        "hypnoflow split {input.manifests:q} {params.seen:q} --out {output.table:q} --science {params.science:q}"
        " > {log:q} 2>&1"

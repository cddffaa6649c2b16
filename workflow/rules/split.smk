DRAWN = PATH("draw", "table")
SPLIT_OPTIONS = science(
    "seed",
    "split",
    cohorts=lambda wildcards: {name: cohort_options(name, "held_out") for name in COHORTS},
)


# What a training reads. It waits for the stores in the training's place, whose one input it is: a finished training
# that is kept must not see its list of inputs grow.
rule draw:
    input:
        manifests=expand(PATH("index", "manifest"), cohort=COHORTS),
        lists=CONFIG.science.split.file or [],
        stores=each_shard("harmonize"),
    output:
        # A draw that fails must not take the old table away, or a kept training would begin anew; it takes the text,
        # which `split` waits for, so that the draw is made again.
        table=update(DRAWN) if any(entry.train.frozen for entry in MODELS.values()) else DRAWN,
        text=PATH("draw", "text"),
        record=PATH("draw"),
    log:
        LAYOUT.log("draw"),
    benchmark:
        LAYOUT.benchmark("draw")
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
        manifests=expand(PATH("index", "manifest"), cohort=COHORTS),
        lists=CONFIG.science.split.file or [],
        drawn=PATH("draw", "text"),
        seen=of_runs("seen"),
    output:
        **LAYOUT.outputs("split"),
    log:
        LAYOUT.log("split"),
    benchmark:
        LAYOUT.benchmark("split")
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=SPLIT_OPTIONS,
        code=code("split"),
        seen=lambda wildcards, input: [f"--seen={path}" for path in input.seen],
    shell:
        "hypnoflow split {input.manifests:q} {params.seen:q} --out {output.table:q} --science {params.science:q}"
        " > {log:q} 2>&1"

rule ablate:
    input:
        split=PATH("split", "table"),
        harmonized=PATH("harmonize"),
        checkpoints=of_seeds("checkpoint"),
    output:
        **LAYOUT.outputs("ablate"),
    log:
        LAYOUT.log("ablate"),
    benchmark:
        LAYOUT.benchmark("ablate")
    conda:
        "../../envs/hypnoflow.yaml"
    # As for score: shards side by side use cores better than one network on several.
    threads: 1
    resources:
        device=RUN.device,
    params:
        science=science("seed", evaluate={"subsets"}),
        code=code("ablate"),
        harmonized=lambda wildcards, input: str(Path(input.harmonized).with_suffix(".zarr")),
        models=lambda wildcards, input: [f"--model={path}" for path in input.checkpoints],
    shell:
        "hypnoflow ablate {params.harmonized:q} {params.models:q} --split {input.split:q} --out {output.table:q}"
        " --science {params.science:q} --threads {threads} --device {resources.device} > {log:q} 2>&1"


rule evaluate:
    input:
        split=PATH("split", "table"),
        manifests=expand(PATH("index"), cohort=COHORTS),
        stores=each_shard("harmonize"),
        scores=each_shard("score"),
        subsets=lambda wildcards: each_shard("ablate", "table")(wildcards) if wildcards.model in ABLATED else [],
    output:
        **LAYOUT.outputs("evaluate"),
    log:
        LAYOUT.log("evaluate"),
    benchmark:
        LAYOUT.benchmark("evaluate")
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=science("seed", "evaluate", features=INTRUSIONS),
        code=code("evaluate"),
        results=lambda wildcards: RESULTS,
        subsets=lambda wildcards: (
            f"--subsets={RESULTS}/evaluate/{wildcards.model}" if wildcards.model in ABLATED else []
        ),
    shell:
        "hypnoflow evaluate --split {input.split:q} --harmonized {params.results:q}/harmonized"
        " --scores {params.results:q}/score/{wildcards.model} --index {params.results:q}/index --out {output.table:q}"
        " {params.subsets:q} --science {params.science:q} > {log:q} 2>&1"

rule subsets:
    input:
        split=PATH("split", "table"),
        harmonized=PATH("harmonize"),
        checkpoints=of_runs("checkpoint"),
    output:
        **LAYOUT.outputs("subsets"),
    log:
        LAYOUT.log("subsets"),
    benchmark:
        LAYOUT.benchmark("subsets")
    conda:
        "../../envs/hypnoflow.yaml"
    # As for score: shards side by side use cores better than one network on several.
    threads: 1
    resources:
        device=RUN.device,
    params:
        science=science("seed", evaluate={"subsets"}),
        code=code("subsets"),
        harmonized=lambda wildcards, input: str(Path(input.harmonized).with_suffix(".zarr")),
        models=lambda wildcards, input: [f"--model={path}" for path in input.checkpoints],
    shell:
        "hypnoflow subsets {params.harmonized:q} {params.models:q} --split {input.split:q} --out {output.table:q}"
        " --science {params.science:q} --threads {threads} --device {resources.device} > {log:q} 2>&1"

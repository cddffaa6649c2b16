rule score:
    input:
        harmonized=PATH("harmonize"),
        checkpoints=of_seeds("checkpoint"),
    output:
        record=PATH("score"),
    log:
        LAYOUT.log("score"),
    benchmark:
        LAYOUT.benchmark("score")
    conda:
        "../../envs/hypnoflow.yaml"
    # Shards side by side use cores better than one network on several; set-threads of a profile overrides it.
    threads: 1
    resources:
        device=RUN.device,
    params:
        science=science("score"),
        code=code("score"),
        harmonized=lambda wildcards, input: str(Path(input.harmonized).with_suffix(".zarr")),
        models=lambda wildcards, input: [f"--model={path}" for path in input.checkpoints],
        store=lambda wildcards, output: str(Path(output.record).with_suffix(".zarr")),
    shell:
        "hypnoflow score {params.harmonized:q} {params.models:q} --out {params.store:q}"
        " --science {params.science:q} --threads {threads} --device {resources.device} > {log:q} 2>&1"

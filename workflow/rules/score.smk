rule score:
    input:
        harmonized=PATH("harmonize"),
        checkpoints=of_runs("checkpoint"),
        # In which fold a recording is; without folds, scores do not depend on who is in which split.
        split=PATH("split", "table") if CONFIG.science.split.kind == "folds" else [],
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
        split=lambda wildcards, input: [f"--split={path}" for path in [input.split] if path],
        store=lambda wildcards, output: str(Path(output.record).with_suffix(".zarr")),
    shell:
        "hypnoflow score {params.harmonized:q} {params.models:q} {params.split:q} --out {params.store:q}"
        " --science {params.science:q} --threads {threads} --device {resources.device} > {log:q} 2>&1"

rule train:
    input:
        split=drawn_for,
        bases=lambda wildcards: list(of_entries(wildcards).values()),
    output:
        **LAYOUT.outputs("train"),
    log:
        LAYOUT.log("train"),
    benchmark:
        LAYOUT.benchmark("train")
    conda:
        "../../envs/hypnoflow.yaml"
    threads: RUN.threads
    resources:
        **{name: getattr(RUN, name) for name in ("device", "devices", "workers", "cache_mb")},
        compile=str(RUN.compile),
        checkpoint_every_min=str(RUN.checkpoint_every_min),
        # A profile's "srun --ntasks=N --ntasks-per-node=M", with mpi and tasks_per_node, runs one task per device.
        launch="",
    params:
        science=trained_by,
        code=code("train"),
        harmonized=lambda wildcards: LAYOUT.folder("harmonize"),
        numbers=numbers,
        bases=lambda wildcards: [f"--base={path}" for path in bases(wildcards)],
    shell:
        "{resources.launch} hypnoflow train --split {input.split:q} --harmonized {params.harmonized:q}"
        " --model {wildcards.model} {params.bases:q} {params.numbers} --out {output.checkpoint:q}"
        " --science {params.science:q}"
        " --run threads={threads} --run device={resources.device} --run devices={resources.devices}"
        " --run workers={resources.workers} --run cache_mb={resources.cache_mb}"
        " --run compile={resources.compile} --run checkpoint_every_min={resources.checkpoint_every_min}"
        " > {log:q} 2>&1"

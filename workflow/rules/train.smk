rule train:
    input:
        split=ancient(DRAWN) if FROZEN else DRAWN,
    output:
        checkpoint=f"{RESULTS}/train/{{model}}/seed{{seed}}.ckpt",
        facts=f"{RESULTS}/train/{{model}}/seed{{seed}}.json",
        seen=f"{RESULTS}/train/{{model}}/seed{{seed}}.seen.parquet",
        curve=f"{RESULTS}/train/{{model}}/seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/train/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/logs/train/{{model}}/seed{{seed}}.tsv"
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
        science=science("seed", train=TRAINED_BY),
        code=code("train"),
        results=lambda wildcards: RESULTS,
    shell:
        "{resources.launch} hypnoflow train --split {input.split:q} --harmonized {params.results:q}/harmonized"
        " --model {wildcards.model} --seed {wildcards.seed} --out {output.checkpoint:q} --science {params.science:q}"
        " --run threads={threads} --run device={resources.device} --run devices={resources.devices}"
        " --run workers={resources.workers} --run cache_mb={resources.cache_mb}"
        " --run compile={resources.compile} --run checkpoint_every_min={resources.checkpoint_every_min}"
        " > {log:q} 2>&1"

def of_entries(wildcards):
    """Return the checkpoints that a training starts from and that are trainings themselves, by the same seed."""
    found = {}
    for base in MODELS[wildcards.model].base:
        if base in MODELS:
            seeds = MODELS[base].seeds
            seed = int(wildcards.seed) if int(wildcards.seed) in seeds else seeds[0]
            found[base] = PATH("train", "checkpoint").format(model=base, seed=seed)
    return found


def bases(wildcards):
    """Return all that a training starts from, in order: checkpoints of entries, files, names of published weights."""
    trained = of_entries(wildcards)
    return [trained.get(base, base) for base in MODELS[wildcards.model].base]


def drawn_for(wildcards):
    """Return the table of splits; a finished training that is kept does not look whether it was drawn again."""
    return ancient(DRAWN) if MODELS[wildcards.model].train.frozen else DRAWN


def trained_by(wildcards):
    """Return a param: what decides a training. Whether it is kept, and what others there are, does not."""
    entry = CONFIG.science.models[wildcards.model].model_dump(mode="json", exclude={"seeds"})
    entry["train"] = {name: value for name, value in entry["train"].items() if name != "frozen"}
    train = CONFIG.science.train.model_dump(mode="json", exclude={"frozen"})
    options = {"seed": CONFIG.science.seed, "train": train, "models": {wildcards.model: entry}}
    return json.dumps(options, sort_keys=True)


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
        results=lambda wildcards: RESULTS,
        bases=lambda wildcards: [f"--base={path}" for path in bases(wildcards)],
    shell:
        "{resources.launch} hypnoflow train --split {input.split:q} --harmonized {params.results:q}/harmonized"
        " --model {wildcards.model} {params.bases:q} --seed {wildcards.seed} --out {output.checkpoint:q}"
        " --science {params.science:q}"
        " --run threads={threads} --run device={resources.device} --run devices={resources.devices}"
        " --run workers={resources.workers} --run cache_mb={resources.cache_mb}"
        " --run compile={resources.compile} --run checkpoint_every_min={resources.checkpoint_every_min}"
        " > {log:q} 2>&1"

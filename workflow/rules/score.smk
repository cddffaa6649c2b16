rule score:
    input:
        sibling=f"{RESULTS}/harmonized/{{cohort}}/{{shard}}.json",
        checkpoints=expand(f"{RESULTS}/train/{{{{model}}}}/seed{{seed}}.ckpt", seed=SEEDS),
    output:
        f"{RESULTS}/score/{{model}}/{{cohort}}/{{shard}}.json",
    log:
        f"{RESULTS}/logs/score/{{model}}/{{cohort}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/logs/score/{{model}}/{{cohort}}/{{shard}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    # Shards side by side use cores better than one network on several; set-threads of a profile overrides it.
    threads: 1
    resources:
        device=RUN.device,
    params:
        science=science("score"),
        code=code("score"),
        harmonized=lambda wildcards, input: str(Path(input.sibling).with_suffix(".zarr")),
        models=lambda wildcards, input: [f"--model={path}" for path in input.checkpoints],
        store=lambda wildcards, output: str(Path(output[0]).with_suffix(".zarr")),
    shell:
        "hypnoflow score {params.harmonized:q} {params.models:q} --out {params.store:q}"
        " --science {params.science:q} --threads {threads} --device {resources.device} > {log:q} 2>&1"

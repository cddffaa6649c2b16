rule harmonize:
    input:
        # A manifest that was written again reruns the shards whose rows say something else, by the param `rows`.
        manifest=ancient(f"{RESULTS}/index/{{cohort}}.parquet"),
        native=native_files,
    output:
        sibling=f"{RESULTS}/harmonized/{{cohort}}/{{shard}}.json",
        qc=f"{RESULTS}/harmonized/{{cohort}}/{{shard}}.qc.parquet",
    log:
        f"{RESULTS}/logs/harmonize/{{cohort}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/logs/harmonize/{{cohort}}/{{shard}}.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    threads: RUN.threads
    resources:
        on_error=RUN.on_error,
        max_skipped=str(RUN.max_skipped),
    params:
        science=science("harmonize", cohorts=how_to_read),
        code=code("harmonize"),
        rows=lambda wildcards: shards(wildcards.cohort).get(wildcards.shard),
        root=cohort_root,
        store=lambda wildcards, output: str(Path(output.sibling).with_suffix(".zarr")),
    shell:
        "hypnoflow harmonize --manifest {input.manifest:q} --shard {wildcards.shard} --root {params.root:q}"
        " --out {params.store:q} --science {params.science:q} --threads {threads}"
        " --on-error {resources.on_error} --max-skipped {resources.max_skipped} > {log:q} 2>&1"

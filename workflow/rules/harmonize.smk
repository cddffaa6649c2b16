rule harmonize:
    input:
        # A manifest that was written again reruns the shards whose rows say something else, by the param `rows`.
        manifest=ancient(PATH("index", "manifest")),
        native=native_files,
    output:
        **LAYOUT.outputs("harmonize"),
    log:
        LAYOUT.log("harmonize"),
    benchmark:
        LAYOUT.benchmark("harmonize")
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
        store=lambda wildcards, output: str(Path(output.record).with_suffix(".zarr")),
    shell:
        "hypnoflow harmonize --manifest {input.manifest:q} --shard {wildcards.shard} --root {params.root:q}"
        " --out {params.store:q} --science {params.science:q} --threads {threads}"
        " --on-error {resources.on_error} --max-skipped {resources.max_skipped} > {log:q} 2>&1"

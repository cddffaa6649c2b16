# Where dask computes: run options, so resources.
DASK = {name: str(value) for name, value in RUN if name.startswith("dask")}


rule features:
    input:
        split=PATH("split", "table"),
        stores=each_shard("harmonize"),
        scores=each_shard("score"),
    output:
        **LAYOUT.outputs("features"),
    log:
        LAYOUT.log("features"),
    benchmark:
        LAYOUT.benchmark("features")
    conda:
        "../../envs/hypnoflow.yaml"
    threads: RUN.threads
    resources:
        **DASK,
    params:
        science=science("features"),
        code=code("features"),
        results=lambda wildcards: RESULTS,
        harmonized=lambda wildcards: LAYOUT.folder("harmonize"),
        scores=lambda wildcards: LAYOUT.folder("score", wildcards.model),
    shell:
        "hypnoflow features --split {input.split:q} --harmonized {params.harmonized:q} --scores {params.scores:q}"
        " --out {output.table:q}"
        " --science {params.science:q} --run threads={threads} --run results={params.results:q}"
        " --run dask={resources.dask} --run dask_memory_mb={resources.dask_memory_mb}"
        " --run dask_jobs={resources.dask_jobs} --run dask_partition={resources.dask_partition}"
        " --run dask_account={resources.dask_account} --run dask_walltime_min={resources.dask_walltime_min}"
        " --run dask_wait_min={resources.dask_wait_min} > {log:q} 2>&1"

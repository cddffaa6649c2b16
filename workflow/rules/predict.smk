rule predict:
    input:
        features=PATH("features", "table"),
        blocks=PATH("features", "blocks"),
        manifests=expand(PATH("index", "manifest"), cohort=COHORTS),
    output:
        **LAYOUT.outputs("predict"),
    log:
        LAYOUT.log("predict"),
    benchmark:
        LAYOUT.benchmark("predict")
    conda:
        "../../envs/hypnoflow.yaml"
    # Targets side by side: small forests gain nothing from more cores. set-threads of a profile overrides it.
    threads: 1
    params:
        science=science("seed", "predict"),
        code=code("predict"),
        index=lambda wildcards: LAYOUT.folder("index"),
    shell:
        "hypnoflow predict --features {input.features:q} --index {params.index:q} --target {wildcards.target}"
        " --out {output.table:q} --science {params.science:q} --threads {threads} > {log:q} 2>&1"

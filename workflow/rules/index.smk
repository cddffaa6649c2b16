def native_files(wildcards):
    """A simulated cohort is there once its sibling JSON is; a user's cohort is simply there."""
    simulated = CONFIG.science.cohorts[wildcards.cohort].root is None
    return PATH("simulate").format(cohort=wildcards.cohort) if simulated else []


checkpoint index:
    input:
        native_files,
    output:
        **LAYOUT.outputs("index"),
    log:
        LAYOUT.log("index"),
    benchmark:
        LAYOUT.benchmark("index")
    conda:
        "../../envs/hypnoflow.yaml"
    resources:
        on_error=RUN.on_error,
    params:
        science=science("index", cohorts=how_to_read),
        code=code("index"),
        root=cohort_root,
    shell:
        "hypnoflow index {wildcards.cohort} --root {params.root:q} --out {output.manifest:q}"
        " --science {params.science:q} --on-error {resources.on_error} > {log:q} 2>&1"

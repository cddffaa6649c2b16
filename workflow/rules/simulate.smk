rule simulate:
    output:
        record=PATH("simulate"),
    log:
        LAYOUT.log("simulate"),
    benchmark:
        LAYOUT.benchmark("simulate")
    conda:
        "../../envs/hypnoflow.yaml"
    threads: RUN.threads
    params:
        science=science(
            "seed",
            "simulate",
            cohorts=lambda wildcards: {
                wildcards.cohort: cohort_options(wildcards.cohort, "persons", "night_h", "repeat_persons")
            },
        ),
        code=code("simulate"),
        out=lambda wildcards, output: str(Path(output.record).with_suffix("")),
    shell:
        "hypnoflow simulate {wildcards.cohort} --out {params.out:q} --science {params.science:q}"
        " --threads {threads} > {log:q} 2>&1"

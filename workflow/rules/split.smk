rule split:
    input:
        expand(f"{RESULTS}/index/{{cohort}}.parquet", cohort=COHORTS),
    output:
        table=f"{RESULTS}/split/split.parquet",
        text=f"{RESULTS}/split/split.csv",
    log:
        f"{RESULTS}/logs/split/split.log",
    benchmark:
        f"{RESULTS}/logs/split/split.tsv"
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=science(
            "seed",
            "split",
            cohorts=lambda wildcards: {name: cohort_options(name, "held_out") for name in COHORTS},
        ),
        code=CODE["split"],
    shell:
        "hypnoflow split {input:q} --out {output.table:q} --science {params.science:q} > {log:q} 2>&1"

rule split:
    input:
        manifests=expand(f"{RESULTS}/index/{{cohort}}.parquet", cohort=COHORTS),
        lists=CONFIG.science.split.file or [],
    output:
        table=f"{RESULTS}/split/split.parquet",
        text=f"{RESULTS}/split/split.csv",
        facts=f"{RESULTS}/split/split.json",
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
        "hypnoflow split {input.manifests:q} --out {output.table:q} --science {params.science:q} > {log:q} 2>&1"

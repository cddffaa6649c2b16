# All entries of a task on the persons that none of them has seen.
rule compare:
    input:
        tables=lambda wildcards: expand(
            PATH("evaluate", "table"), model=[n for n in SCORED if MODELS[n].task == wildcards.task]
        ),
    output:
        **LAYOUT.outputs("compare"),
    log:
        LAYOUT.log("compare"),
    benchmark:
        LAYOUT.benchmark("compare")
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=science("seed", "evaluate"),
        code=code("compare"),
    shell:
        "hypnoflow compare {input.tables:q} --out {output.table:q} --science {params.science:q} > {log:q} 2>&1"

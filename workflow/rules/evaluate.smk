rule evaluate:
    input:
        split=PATH("split", "table"),
        agreement=each_shard("agreement"),
        subsets=lambda wildcards: each_shard("subsets", "table")(wildcards) if wildcards.model in IN_SUBSETS else [],
    output:
        **LAYOUT.outputs("evaluate"),
    log:
        LAYOUT.log("evaluate"),
    benchmark:
        LAYOUT.benchmark("evaluate")
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=science("seed", "evaluate"),
        code=code("evaluate"),
        agreement=lambda wildcards: LAYOUT.folder("agreement", wildcards.model),
        subsets=lambda wildcards: (
            f"--subsets={LAYOUT.folder('subsets', wildcards.model)}" if wildcards.model in IN_SUBSETS else []
        ),
    shell:
        "hypnoflow evaluate --split {input.split:q} --agreement {params.agreement:q} {params.subsets:q}"
        " --out {output.table:q} --science {params.science:q} > {log:q} 2>&1"

# The one pass over the nights; `evaluate` reads the tables that it leaves.
rule agreement:
    input:
        split=PATH("split", "table"),
        # For where a simulated cohort has its truth; a manifest that was written again says nothing new of that.
        index=ancient(PATH("index")),
        harmonized=PATH("harmonize"),
        scores=PATH("score"),
    output:
        **LAYOUT.outputs("agreement"),
    log:
        LAYOUT.log("agreement"),
    benchmark:
        LAYOUT.benchmark("agreement")
    conda:
        "../../envs/hypnoflow.yaml"
    params:
        science=labelled_by,
        code=code("agreement"),
        task=lambda wildcards: MODELS[wildcards.model].task,
        harmonized=lambda wildcards, input: str(Path(input.harmonized).with_suffix(".zarr")),
        scores=lambda wildcards, input: str(Path(input.scores).with_suffix(".zarr")),
    shell:
        "hypnoflow agreement {params.harmonized:q} --scores {params.scores:q} --split {input.split:q}"
        " --index {input.index:q} --task {params.task} --out {output.table:q} --science {params.science:q}"
        " > {log:q} 2>&1"

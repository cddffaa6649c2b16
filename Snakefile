"""hypnoflow: raw polysomnography in many cohorts → one report on sleep at 30 s and below.

`snakemake --cores 2` runs it here, `snakemake --profile slurm` on a cluster; options are in config.yaml.
"""


configfile: "config.yaml"


# Only for `--sdm apptainer`: `apptainer build hypnoflow.sif envs/hypnoflow.def` makes it.
container: "hypnoflow.sif"


include: "workflow/rules/common.smk"


wildcard_constraints:
    cohort="|".join(COHORTS),
    shard=r"\d+",
    model="|".join(MODELS),
    run=r"seed\d+(-fold\d+)?",
    target="|".join(TARGETS),
    task=r"[a-z]+",


rule all:
    default_target: True
    input:
        PATH("report", "page"),
        PATH("report"),


include: "workflow/rules/simulate.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/harmonize.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/subsets.smk"
include: "workflow/rules/agreement.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/start.smk"

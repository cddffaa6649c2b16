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
    model=r"[a-z0-9-]+",
    seed=r"\d+",
    target="|".join(TARGETS),


rule all:
    default_target: True
    input:
        f"{RESULTS}/report/report.html",
        f"{RESULTS}/report/provenance.json",


include: "workflow/rules/simulate.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/harmonize.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/start.smk"

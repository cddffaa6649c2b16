"""What comes before the first job and after the last; see hypnoflow.head. Jobs parse this file too, and do none of it."""

from snakemake.logging import logger

# By stage, the JSON that says what an output was made with; it is written last.
SIBLINGS = {
    "simulate": rules.simulate.output[0],
    "index": rules.index.output.twin,
    "harmonize": rules.harmonize.output.sibling,
    "draw": rules.draw.output.facts,
    "split": rules.split.output.facts,
    "train": rules.train.output.facts,
    "score": rules.score.output[0],
    "ablate": rules.ablate.output.facts,
    "evaluate": rules.evaluate.output.summary,
    "features": rules.features.output.facts,
    "predict": rules.predict.output.summary,
    "report": rules.report.output.provenance,
}


PLANNED = {"cohort": COHORTS, "model": [MODEL], "seed": list(map(str, SEEDS)), "target": TARGETS}


def is_planned(wildcards):
    """Return whether the config names what a path names."""
    return all(value in PLANNED.get(name, [value]) for name, value in vars(wildcards).items())


def recordings_of(wildcards):
    """Return the recordings that a cohort's manifest puts into a shard, None if it cannot be read."""
    import pandas as pd

    try:
        rows = pd.read_parquet(f"{RESULTS}/index/{wildcards.cohort}.parquet", columns=["shard", "recording"])
    except FileNotFoundError:
        return set()
    except (OSError, ValueError):  # damaged, as its own JSON will tell
        return None
    return set(rows.loc[rows["shard"] == wildcards.shard, "recording"])


def plan(stage):
    """Return what a stage's outputs ought to be made with."""
    names = recordings_of if stage == "harmonize" else None
    from hypnoflow.head.lost import Plan

    others = tuple(str(path) for path in getattr(rules, stage).output if str(path) != str(SIBLINGS[stage]))
    return Plan(str(SIBLINGS[stage]), getattr(rules, stage).params.science, code("split" if stage == "draw" else stage), is_planned, names, others)


HEAD = None
if workflow.is_main_process:
    from hypnoflow.head.start import start

    try:
        HEAD = start(
            sys.argv[1:],
            Path(workflow.workdir_init),
            CONFIG,
            {stage: plan(stage) for stage in SIBLINGS},
            logger.warning,
        )
    except HypnoflowError as error:
        raise WorkflowError(str(error)) from None


onstart:
    if HEAD:
        try:
            HEAD.has_jobs()
        except HypnoflowError as error:
            raise WorkflowError(str(error)) from None


onsuccess:
    if HEAD:
        HEAD.ended("success")


onerror:
    if HEAD:
        from hypnoflow.head.preflight import why_it_failed

        for line in why_it_failed(Path(RESULTS), [Path(path).read_text() for path in log]):
            logger.error(line)
        HEAD.ended("failure")

"""What comes before the first job and after the last; see hypnoflow.head. Jobs parse this file too, and do none of it."""

from snakemake.logging import logger

from hypnoflow.facts.layout import PLACES

PLANNED = {"cohort": COHORTS, "model": list(MODELS), "target": TARGETS, "task": COMPARED}


def is_planned(wildcards):
    """Return whether the config names what a path names; "000.events" is no shard."""
    names = vars(wildcards)
    if not names.get("shard", "0").isdigit():
        return False
    known = runs(names["model"]) if names.get("model") in MODELS else []
    return all(value in PLANNED.get(name, [value]) for name, value in names.items()) and (
        "run" not in names or names["run"] in known
    )


def recordings_of(wildcards):
    """Return the recordings that a cohort's manifest puts into a shard, None if it cannot be read."""
    import pandas as pd

    try:
        rows = pd.read_parquet(
            PATH("index", "manifest").format(cohort=wildcards.cohort), columns=["shard", "recording"]
        )
    except FileNotFoundError:
        return set()
    except (OSError, ValueError):  # damaged, as its own JSON will tell
        return None
    return set(rows.loc[rows["shard"] == wildcards.shard, "recording"])


def plan(stage):
    """Return what a stage's outputs ought to be made with."""
    names = recordings_of if stage == "harmonize" else None
    from hypnoflow.head.lost import Plan

    others = tuple(path for name, path in LAYOUT.outputs(stage).items() if name != "record")
    params = getattr(rules, stage).params
    return Plan(PATH(stage), params.science, params.code, is_planned, names, others)


HEAD = None
if workflow.is_main_process:
    from hypnoflow.head.start import start

    try:
        HEAD = start(
            sys.argv[1:],
            Path(workflow.workdir_init),
            CONFIG,
            {stage: plan(stage) for stage in PLACES},
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

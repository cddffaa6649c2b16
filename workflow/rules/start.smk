"""What comes before the first job and after the last; see hypnoflow.workflow. Jobs parse this file too, and do none of it."""

from snakemake.logging import logger

from hypnoflow.workflow.lost import Plan
from hypnoflow.workflow.preflight import why_it_failed
from hypnoflow.workflow.start import start

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


def plan(stage):
    """Return what a stage's outputs ought to be made with."""
    return Plan(str(SIBLINGS[stage]), getattr(rules, stage).params.science, CODE["split" if stage == "draw" else stage])


HEAD = None
if workflow.is_main_process:
    try:
        HEAD = start(sys.argv[1:], CONFIG, {stage: plan(stage) for stage in SIBLINGS}, logger.warning)
    except HypnoflowError as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    if HEAD:
        HEAD.ended("success")


onerror:
    if HEAD:
        HEAD.ended("failure")
        for line in why_it_failed(Path(RESULTS), [Path(path).read_text() for path in log]):
            logger.error(line)

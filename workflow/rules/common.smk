"""Paths, and the parts of the config that each rule depends on; no science here."""

import functools
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hypnoflow.head.check import checked_config
from hypnoflow.data.tasks import tasks
from hypnoflow.errors import HypnoflowError
from hypnoflow.facts.code import code_of
from hypnoflow.facts.layout import Layout, run_name
from hypnoflow.head.orphans import MARK
from hypnoflow.models import declaration, lineage
from hypnoflow.train.entry import entry_of

# Rules call the `hypnoflow` of this very environment, whether or not it is activated.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))

try:
    CONFIG = checked_config(dict(config), "the configuration")
except HypnoflowError as error:
    raise WorkflowError(str(error)) from None

# Run options reach the shell texts as resources: a changed resource, unlike a param, never causes a rerun.
RUN = CONFIG.run
RESULTS = RUN.results
LAYOUT = Layout(RESULTS)
PATH = LAYOUT.pattern
COHORTS = list(CONFIG.science.cohorts)
TARGETS = list(CONFIG.science.predict.targets)
# The trainings by name; those with a task are scored, those that stage sleep below 30 s are compared with 30 s.
MODELS = {name: entry_of(name, CONFIG.science.models, CONFIG.science.train) for name in CONFIG.science.models}
SCORED = [name for name, entry in MODELS.items() if entry.task is not None]
COMPARED = [task for task in tasks.names() if sum(MODELS[name].task == task for name in SCORED) > 1]
STAGING = [name for name in SCORED if MODELS[name].task == "stage"]
FINE = [name for name in STAGING if declaration(MODELS[name].network).fine]
# Networks of any channels are scored again from some of them; others would see the same again, and are left out.
IN_SUBSETS = [name for name in STAGING if declaration(MODELS[name].network).any_channels]
IN_SUBSETS = IN_SUBSETS if CONFIG.science.evaluate.subsets.kind != "none" else []
os.environ.update({"HYPNOFLOW_LOG_LEVEL": RUN.log_level, MARK: str(Path.cwd())})


def code(stage):
    """Return a param: a hash of the code that a job of a stage runs; editing it reruns the stage, nothing before it."""

    def of_job(wildcards):
        names = vars(wildcards)
        network = lineage(MODELS[names["model"]].network) if stage in ("train", "score", "subsets") else None
        cohort = names["cohort"] if stage in ("simulate", "index", "harmonize") else None
        return code_of(stage, network, cohort)

    return of_job


def science(*sections, cohorts=None, **parts):
    """Return a param: the named sections of the science options as JSON, and parts of others and of cohorts' options.

    A function, since braces in a plain string would be taken for wildcards; only what a stage reads is in it, so that
    no other option reruns it. `cohorts` maps a job's wildcards to {cohort: options}; `parts` names some options of a
    section.
    """
    everything = CONFIG.science.model_dump(mode="json", include=dict.fromkeys(sections, True) | parts)

    def of_job(wildcards):
        more = {"cohorts": cohorts(wildcards)} if cohorts else {}
        return json.dumps({**everything, **more}, sort_keys=True)

    return of_job


def cohort_options(cohort, *names):
    """Return some options of one cohort."""
    return CONFIG.science.cohorts[cohort].model_dump(mode="json", include=set(names))


def how_to_read(wildcards):
    """Return the options of a job's cohort that say how its files are read."""
    options = cohort_options(wildcards.cohort, "kind", "root", "channels", "stages", "participants")
    return {wildcards.cohort: options}


def cohort_root(wildcards):
    """Return the folder of a cohort's native files: the user's, or the simulated one."""
    root = CONFIG.science.cohorts[wildcards.cohort].root
    return root if root is not None else PATH("simulate", "store").format(cohort=wildcards.cohort)


@functools.cache
def fingerprints(manifest, mtime_ns):
    """Return {shard: fingerprint of its rows}; read once for as long as the manifest stays as it is."""
    from hypnoflow.store.manifest import shard_fingerprints

    return shard_fingerprints(Path(manifest))


def shards(cohort):
    """Return {shard: fingerprint of its rows} of a cohort's manifest, once it is there."""
    manifest = checkpoints.index.get(cohort=cohort).output.manifest
    return fingerprints(manifest, os.stat(manifest).st_mtime_ns)


def each_shard(stage, name="record"):
    """Return an input function: one output of a stage for every shard of every cohort, of the job's model.

    A job's own process gets none: whoever started the job has seen to it that they are there, and to plan all of
    them again would take each job of a large study as long as the head.
    """
    pattern = PATH(stage, name)
    return lambda wildcards: [
        pattern.format(model=wildcards.get("model"), cohort=cohort, shard=shard)
        for cohort in (COHORTS if workflow.is_main_process else [])
        for shard in shards(cohort)
    ]


def runs(model):
    """Return the names of an entry's training runs: one for each seed and, where the split has folds, each fold."""
    return [run_name(seed, fold) for seed in MODELS[model].seeds for fold in CONFIG.science.split.fold_numbers]


def of_runs(name):
    """Return an input function: one output of every training run of the job's model."""
    return lambda wildcards: expand(PATH("train", name), model=wildcards.model, run=runs(wildcards.model))


def of_entries(wildcards):
    """Return the checkpoints that a training starts from and that are trainings themselves: of the same seed, if the
    other entry has it, and of the same fold, whose persons they must not have seen either."""
    found = {}
    fold = wildcards.run.partition("-")[2]
    for base in MODELS[wildcards.model].base:
        if base in MODELS:
            others = [run for run in runs(base) if run.partition("-")[2] == fold]
            run = wildcards.run if wildcards.run in others else others[0]
            found[base] = PATH("train", "checkpoint").format(model=base, run=run)
    return found


def numbers(wildcards):
    """Return the options of the command line that say which training run it is."""
    seed, _, fold = wildcards.run.partition("-")
    return [f"--seed={seed.removeprefix('seed')}", *([f"--fold={fold.removeprefix('fold')}"] if fold else [])]


def bases(wildcards):
    """Return all that a training starts from, in order: checkpoints of entries, files, names of published weights."""
    trained = of_entries(wildcards)
    return [trained.get(base, base) for base in MODELS[wildcards.model].base]


def drawn_for(wildcards):
    """Return the table of splits; a finished training that is kept does not look whether it was drawn again."""
    drawn = PATH("draw", "table")
    return ancient(drawn) if MODELS[wildcards.model].train.frozen else drawn


def trained_by(wildcards):
    """Return a param: what decides a training. Whether it is kept, and what others there are, does not."""
    entry = CONFIG.science.models[wildcards.model].model_dump(mode="json", exclude={"seeds"})
    entry["train"] = {name: value for name, value in entry["train"].items() if name != "frozen"}
    train = CONFIG.science.train.model_dump(mode="json", exclude={"frozen"})
    options = {"seed": CONFIG.science.seed, "train": train, "models": {wildcards.model: entry}}
    return json.dumps(options, sort_keys=True)


def labelled_by(wildcards):
    """Return a param: what scores are held against. How an epoch is marked by an event, and what a wake intrusion is."""
    intrusions = {f"intrusion_{name}" for name in ("min_s", "max_s", "gap", "sleep_before_s")}
    features = CONFIG.science.features.model_dump(mode="json", include=intrusions)
    train = {"min_overlap_s": MODELS[wildcards.model].train.min_overlap_s}
    return json.dumps({"features": features, "train": train}, sort_keys=True)

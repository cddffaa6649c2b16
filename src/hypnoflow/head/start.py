"""From the command to the first job: one head, nothing left of a dead one, whole results, a cluster that takes jobs."""

from __future__ import annotations

import json
import os
import platform
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from hypnoflow.config.schema import Config
from hypnoflow.errors import WorkflowError
from hypnoflow.facts.claim import forget
from hypnoflow.facts.layout import RUNS
from hypnoflow.facts.provenance import provenance
from hypnoflow.head import asked
from hypnoflow.head.foreign import check_results
from hypnoflow.head.head import NAME, Head
from hypnoflow.head.lost import Plan, outdated
from hypnoflow.head.orphans import end_orphans
from hypnoflow.head.preflight import check_job_names, check_slurm, check_status_command, check_writable, skewed
from hypnoflow.head.stores import Damage, Thoroughness, damaged

Say = Callable[[str], object]
NO_LOCKS = (
    "this file system has no locks, so nobody can tell whether another run is alive here: nothing of an earlier one is "
    "cleaned up. If there is none, cancel what is left of it (`squeue --me`), and `snakemake --unlock`"
)
FEW = 5  # of a kind are named, the rest counted
REPORT = "report/provenance.json"  # of the files of the report, the one that is not for reading


def start(argv: Sequence[str], launched: Path, config: Config, plans: Mapping[str, Plan], say: Say) -> Head | None:
    """Do all that comes before the first job; return the head, or None where Snakemake is to run none.

    Parameters
    ----------
    argv : sequence of str
        Snakemake's arguments.
    launched : Path
        The folder that it was started in.
    plans : mapping of str to Plan
        By stage, what its outputs ought to be made with.
    say : callable
        Takes each line for the user.

    Raises
    ------
    WorkflowError
        If another head is alive, nothing can be written, earlier jobs do not end, or Slurm would refuse the jobs.
    """
    folder = Path.cwd()
    if launched.resolve() != folder:
        raise WorkflowError(
            f"start Snakemake in {folder} itself, without --directory: after a crash, jobs are found by the folder "
            "that they were started in. To write elsewhere, set run.results"
        )
    args = asked.parse(argv)
    if not asked.runs_jobs(args):
        return None
    results = Path(config.run.results)
    head = Head.take(folder, args.executor or "local")
    warning = skewed(check_writable(results))
    check_results(results, plans)
    head.claim_results(results)
    if warning:
        say(warning)
    if head.sure:
        _clean_up(head, folder, results, args.executor == "slurm", say)
        _check_results(head, config, plans, say)
    else:
        say(NO_LOCKS)
    if args.executor == "slurm":
        _check_cluster(args, say)
    _note(results, argv, config)
    if args.no_hooks:  # then nobody will say when jobs begin
        head.has_jobs()
    return head


def _check_cluster(args: Namespace, say: Say) -> None:
    check_job_names(args.slurm_jobname_prefix)
    check_status_command(args.slurm_status_command)
    if not isinstance(args.slurm_partition_config, str | Path):  # else the plugin chooses among partitions
        qos = args.slurm_qos if isinstance(args.slurm_qos, str) else None
        warning = check_slurm({rule: {"qos": qos} | wanted for rule, wanted in asked.slurm_resources(args).items()})
        if warning:
            say(warning)


def _check_results(head: Head, config: Config, plans: Mapping[str, Plan], say: Say) -> None:
    """Set aside what is damaged or was made otherwise than planned, and see to it that what is missing is made."""
    results, verify = Path(config.run.results), config.run.verify
    unusable = outdated(plans)
    if verify != "none":
        known = {damage.sibling for damage in unusable}
        how: Thoroughness = "hashes" if verify == "hashes" else "sizes"
        planned = [path for plan in plans.values() for path, _ in plan.outputs()]
        unusable += damaged([path for path in planned if path not in known], how)
    if config.science.train.frozen:
        _keep_trainings(results, unusable)
    _set_aside(unusable, say)
    if unusable or (head.before is not None and head.before.end != "success"):
        # What is missing amid the workflow is only made if something asks for it: the report asks for everything.
        forget(results / REPORT)


def _clean_up(head: Head, folder: Path, results: Path, slurm: bool, say: Say) -> None:
    """End what an earlier head left running, and remove its locks; its half-made stores are gone on with."""
    if head.before is not None and not head.before.end:
        say(f"the last run here ended without cleaning up ({head.before}); cleaning up after it")
        if head.before.host != platform.node() and head.before.executor == "local":
            raise WorkflowError(
                f"it ran its jobs on {head.before.host} itself, where they may still be: start the command there, "
                f"or, if that machine was started anew since, delete {folder / '.snakemake' / NAME} and start again"
            )
    slurm = slurm or (head.before is not None and not head.before.end and head.before.executor == "slurm")
    for phrase in end_orphans(folder, slurm=slurm):
        say(f"left over from an earlier run: {phrase}")
    head.cleaned_up()
    for lock in sorted((folder / ".snakemake" / "locks").glob("*.lock")):
        lines = [] if lock.is_symlink() else lock.read_text(encoding="utf-8").splitlines()
        if any(line.startswith(f"{results}/") for line in lines):
            lock.unlink()
            say(f"left over from an earlier run: lock {lock.name} removed")


def _keep_trainings(results: Path, found: Sequence[Damage]) -> None:
    """Raise WorkflowError if a training that is to be kept is damaged: to train anew is not for us to choose."""
    for damage in found:
        if damage.file is not None and damage.sibling.is_relative_to(results / "train"):
            raise WorkflowError(
                f"{damage.file}: {damage.what}. science.train.frozen keeps this training: bring the file back from a "
                f"copy, or delete {damage.sibling} and the checkpoint to train again"
            )


def _set_aside(found: Sequence[Damage], say: Say) -> None:
    """Set outputs aside, and say which."""
    for damage in found:
        damage.set_aside()
    for damage in found[:FEW]:
        say(f"made again: {damage.sibling.with_suffix('')}: {damage.what}")
    if len(found) > FEW:
        say(f"... and {len(found) - FEW} more like it")


def _note(results: Path, argv: Sequence[str], config: Config) -> None:
    """Add a line to the record of runs, which the report shows and passes on."""
    path = results / RUNS
    facts = provenance() | {"snakemake": version("snakemake"), "host": platform.node()}
    line = {"command": ["snakemake", *argv], "config": config.model_dump(mode="json"), "versions": facts}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        with os.fdopen(handle, "a", encoding="utf-8") as file:  # each line begins anew, whatever became of the last
            file.write("\n" + json.dumps(line, sort_keys=True) + "\n")
    except OSError as error:
        raise WorkflowError(f"cannot write {path} ({error.strerror}): make room, and start again") from error

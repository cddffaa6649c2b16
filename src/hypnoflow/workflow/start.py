"""From the command to the first job: one head, nothing left of a dead one, whole results, a cluster that takes jobs."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from hypnoflow.config import Config
from hypnoflow.io.provenance import provenance
from hypnoflow.workflow import asked
from hypnoflow.workflow.head import Head
from hypnoflow.workflow.lost import Plan, outdated
from hypnoflow.workflow.orphans import end_orphans
from hypnoflow.workflow.preflight import check_slurm, check_status_command, check_writable, skewed
from hypnoflow.workflow.stores import Damage, damaged, siblings

Say = Callable[[str], object]
NO_LOCKS = (
    "this file system has no locks, so nobody can tell whether another run is alive here: nothing of an earlier one is "
    "cleaned up. If there is none, cancel what is left of it (`squeue --me`), and `snakemake --unlock`"
)
FEW = 5  # of a kind are named, the rest counted
RUNS = "logs/runs.jsonl"
REPORT = "report/provenance.json"  # of the files of the report, the one that is not for reading


def start(argv: Sequence[str], config: Config, plans: Mapping[str, Plan], say: Say) -> Head | None:
    """Do all that comes before the first job; return the head, or None where Snakemake is to run none.

    Parameters
    ----------
    argv : sequence of str
        Snakemake's arguments.
    plans : mapping of str to Plan
        By stage, what its outputs ought to be made with.
    say : callable
        Takes each line for the user.

    Raises
    ------
    WorkflowError
        If another head is alive, nothing can be written, earlier jobs do not end, or Slurm would refuse the jobs.
    """
    args = asked.parse(argv)
    if not asked.runs_jobs(args):
        return None
    results, folder = Path(config.run.results), Path.cwd()
    head = Head.take(folder, args.executor or "local")
    warning = skewed(check_writable(results))
    if warning:
        say(warning)
    if args.executor == "slurm":
        check_slurm(asked.slurm_resources(args))
        check_status_command(args.slurm_status_command)
    if head.sure:
        _clean_up(head, folder, results, args.executor == "slurm", say)
    else:
        say(NO_LOCKS)
    unusable = outdated(plans)
    if config.run.verify != "none":
        known = {damage.sibling for damage in unusable}
        unusable += damaged([path for path in siblings(results) if path not in known], config.run.verify)
    _set_aside(unusable, say)
    if unusable or (head.before is not None and head.before.end != "success"):
        # What is missing amid the workflow is only made if something asks for it: the report asks for everything.
        (results / REPORT).unlink(missing_ok=True)
    _note(results, argv, config)
    return head


def _clean_up(head: Head, folder: Path, results: Path, slurm: bool, say: Say) -> None:
    """End what an earlier head left running, and remove its locks; its half-made stores are gone on with."""
    if head.before is not None and not head.before.end:
        say(f"the last run here ended without cleaning up ({head.before}); cleaning up after it")
        if head.before.host != platform.node():
            say(f"if it ran jobs on {head.before.host} itself, not through Slurm, look there whether they still run")
    slurm = slurm or (head.before is not None and head.before.executor == "slurm")
    for phrase in end_orphans(folder, slurm=slurm):
        say(f"left over from an earlier run: {phrase}")
    for lock in sorted((folder / ".snakemake" / "locks").glob("*.lock")):
        if any(line.startswith(f"{results}/") for line in lock.read_text().splitlines()):
            lock.unlink()
            say(f"left over from an earlier run: lock {lock.name} removed")


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
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = provenance() | {"snakemake": version("snakemake"), "host": platform.node()}
    line = {"command": ["snakemake", *argv], "config": config.model_dump(mode="json"), "versions": facts}
    with path.open("a") as file:
        file.write(json.dumps(line, sort_keys=True) + "\n")

"""What would stop a run, or spoil it, looked for before it starts; each with one message that says what to do."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypnoflow.errors import WorkflowError
from hypnoflow.head.orphans import JOB_NAME

FULL_MB = 1.0
SKEW_S = 5.0  # a file server's clock that is further off makes fresh outputs look older than their inputs
# The options of sbatch that a job's resources become, as the executor's plugin has them.
SBATCH = {
    "slurm_partition": "--partition",
    "runtime": "--time",
    "mem_mb": "--mem",
    "mem_mb_per_cpu": "--mem-per-cpu",
    "gpu": "--gpus",
    "gres": "--gres",
    "nodes": "--nodes",
    "tasks": "--ntasks",
    "tasks_per_node": "--ntasks-per-node",
    "cpus_per_task": "--cpus-per-task",
    "constraint": "--constraint",
    "qos": "--qos",
}
PROFILE = "workflow/profiles/slurm/config.yaml"
PASSING = ("accounting/qos policy", "temporarily unable")  # a full queue empties
OUT = "drain,drained,draining,down,fail,maint"  # states of nodes that may come back
FEW = 5  # of them are named
NO_SUCH_NODE = "node configuration is not available"  # nor while all that could are drained or down
# What sbatch says, and what to do about it.
ADVICE = {
    "accounting/qos policy": "a limit of jobs is reached: lower `jobs`, or wait until some of yours are through",
    "invalid partition": "set slurm_partition to one of: {partitions}",
    "no partition specified": "set slurm_partition to one of: {partitions}",
    "invalid account": "set slurm_account to an account of yours (`sacctmgr show assoc user=$USER` or your support)",
    "invalid qos": "set slurm-qos to one that your account may use, or take it out",
    "time limit": "lower runtime, or name a partition that allows it (`sinfo -o '%P %l'`)",
    NO_SUCH_NODE: "lower mem_mb, cpus or gpu, or name a partition with such nodes (`sinfo -o '%P %c %m %G'`)",
    "more processors requested than permitted": "lower the rule's threads: set-threads",
    "unable to contact slurm controller": "the cluster does not answer; try `sinfo`, and start again when it does",
    "temporarily unable to accept": "the cluster's queue is full: wait, or lower `jobs`",
}


def check_writable(results: Path) -> float:
    """Return how far ahead of this machine's the clock of the results' file system is, s.

    Raises
    ------
    WorkflowError
        If nothing can be written there.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=results, prefix=".writable") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            return Path(file.name).stat().st_mtime - time.time()
    except OSError as error:
        raise WorkflowError(
            f"cannot write to {results} ({error.strerror}): make room or get the right to, or set run.results to "
            "another folder"
        ) from error


def skewed(ahead_s: float) -> str:
    """Return a warning about the clock of a file system, empty where it agrees."""
    if abs(ahead_s) <= SKEW_S:
        return ""
    way = "ahead of" if ahead_s > 0 else "behind"
    return (
        f"the clock of the results' file system is {abs(ahead_s):.0f} s {way} this machine's: outputs may look older "
        "than their inputs and be made again. Have the clocks set (NTP), or start the head on a machine that agrees"
    )


def check_slurm(resources: Mapping[str, Mapping[str, Any]]) -> str:
    """Ask Slurm whether it would take jobs with these resources, without submitting any.

    Parameters
    ----------
    resources : mapping of str to mapping
        By rule, what the profile asks for: slurm_partition, slurm_account, runtime (min), mem_mb, gpu.

    Returns
    -------
    str
        A warning if some would have to wait for nodes that are out of service, else empty.

    Raises
    ------
    WorkflowError
        With sbatch's words, the rule, and what to change.
    """
    if shutil.which("sbatch") is None:
        raise WorkflowError("there is no sbatch on this machine: start the head where you submit jobs, a login node")
    waiting = []
    for rule, wanted in resources.items():
        done = subprocess.run(
            ["sbatch", "--test-only", *_options(wanted), "--wrap", "true"],
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or "CONF" in name},
        )
        if not done.returncode or any(words in done.stderr.lower() for words in PASSING):
            continue
        nodes = _nodes_out(wanted) if NO_SUCH_NODE in done.stderr.lower() else set()
        if nodes:
            waiting.append(f"{rule} for {', '.join(sorted(nodes)[:FEW])}")
        else:
            said = " ".join(done.stderr.replace("allocation failure:", "").replace("sbatch: error:", "").split())
            raise WorkflowError(f"Slurm would not take jobs of {rule}: {said}\n  {advice(said)}; edit {PROFILE}")
    if not waiting:
        return ""
    return f"jobs will wait for nodes that are out of service (`sinfo -R` says why): those of {'; '.join(waiting)}"


def check_job_names(prefix: str | None) -> None:
    """Raise WorkflowError if jobs would not be found again by their names."""
    if prefix != JOB_NAME.rstrip("_"):
        raise WorkflowError(
            f"this profile lacks the line `slurm-jobname-prefix: {JOB_NAME.rstrip('_')}`, by which jobs are found "
            f"again after a crash; take it from {PROFILE}"
        )


def check_status_command(status_command: str | None) -> None:
    """Raise WorkflowError if jobs would be looked for in an accounting database that the cluster does not have."""
    done = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True)
    if "accounting_storage/none" in done.stdout and status_command != "squeue":
        raise WorkflowError(
            "this cluster has no accounting database, so that `sacct` finds no job: take the lines slurm-no-account "
            f"and slurm-status-command into {PROFILE}"
        )


def _options(wanted: Mapping[str, Any]) -> list[str]:
    options = [f"{option}={wanted[name]}" for name, option in SBATCH.items() if wanted.get(name)]
    options += [f"--account={str(wanted['slurm_account']).split(',')[0]}"] if wanted.get("slurm_account") else []
    return options + shlex.split(str(wanted.get("slurm_extra") or ""))


def advice(said: str) -> str:
    """Return what to do about words of sbatch, empty if they are not known."""
    for words, what in ADVICE.items():
        if words in said.lower():
            return what.format(partitions=", ".join(_partitions()) or "those that `sinfo` names")
    return "see `man sbatch`, or ask your cluster's support"


def why_it_failed(results: Path, logs: Sequence[str]) -> list[str]:
    """Return what lies behind a run's failure and is not in its jobs' own logs: a full disk, Slurm's refusals."""
    free_mb = shutil.disk_usage(results).free / 2**20
    full = f"the file system of {results} is full ({free_mb:.0f} MB free), so that jobs could not even say so"
    found = [f"{full}: make room, then start the same command again"] if free_mb < FULL_MB else []
    return found + [said for said in map(explain, logs) if said]


def explain(log: str) -> str:
    """Return what to do about the first refusal of Slurm in a run's log; empty if there is none that is known."""
    for line in log.splitlines():
        if "sbatch" in line.lower() or "slurm" in line.lower():
            for words in ADVICE:
                if words in line.lower():
                    return f"Slurm refused jobs: {line.strip()}\n  {advice(line)}; edit {PROFILE}"
    return ""


def _partitions() -> list[str]:
    return sorted(set(_sinfo("%R").split()))


def _nodes_out(wanted: Mapping[str, Any]) -> set[str]:
    """Return the nodes of a job's partition that are drained, down or failing, and would have what it asks of each."""
    partition = [f"--partition={wanted['slurm_partition']}"] if wanted.get("slurm_partition") else []
    rows = _sinfo("%N|%c|%m|%G|%P", "--Node", f"--states={OUT}", *partition).splitlines()
    found = set()
    for name, cores, memory_mb, gres, where in (row.split("|") for row in rows):
        gpus = sum(int(n) for n in re.findall(r"gpu(?::[^:,(]+)?:(\d+)", gres))
        enough = (
            _number(cores) >= (wanted.get("cpus_per_task") or 1),
            _number(memory_mb) >= (wanted.get("mem_mb") or 0),
            gpus >= int(wanted.get("gpu") or 0),
            bool(partition) or where.endswith("*"),  # the default partition
        )
        found |= {name} if all(enough) else set()
    return found


def _number(text: str) -> int:
    """Return a number of sinfo's, which may end in +."""
    return int(text.strip().rstrip("+"))


def _sinfo(columns: str, *which: str) -> str:
    if shutil.which("sinfo") is None:
        return ""
    return subprocess.run(["sinfo", "-h", "-o", columns, *which], capture_output=True, text=True).stdout

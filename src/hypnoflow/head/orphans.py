"""Jobs that outlived their head: found, cancelled and waited for, so that no output ever has two writers."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path

import psutil

from hypnoflow.errors import WorkflowError

MARK = "HYPNOFLOW_FOLDER"  # in the environment of every job: the working folder of its head
JOB_NAME = "hypnoflow_"  # what the names of our Slurm jobs begin with: slurm-jobname-prefix of the profile
PATIENCE_S = 120.0


def end_orphans(folder: Path, *, slurm: bool, patience_s: float = PATIENCE_S) -> list[str]:
    """End all jobs of the working folder's earlier heads, and return what was ended, a phrase each.

    With `slurm`, the cluster must answer; else it is asked where there is one.

    Only whoever holds the folder's head may call this: to anybody else these jobs are somebody's.

    Raises
    ------
    WorkflowError
        If they do not end in time, or Slurm does not answer though it has jobs of ours.
    """
    return [*_end_slurm_jobs(folder, slurm, patience_s), *_end_processes(folder, patience_s)]


def slurm_jobs(folder: Path) -> list[str]:
    """Return the numbers of our Slurm jobs of this working folder, but for the one we may run in.

    Raises
    ------
    WorkflowError
        If squeue fails.
    """
    if shutil.which("squeue") is None:
        raise WorkflowError("there is no squeue here, so jobs of an earlier run on Slurm cannot be looked for")
    done = subprocess.run(["squeue", "-h", "--me", "-o", "%A|%j|%Z"], capture_output=True, text=True)
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise WorkflowError(
            f"squeue does not answer, so jobs of an earlier run cannot be looked for ({said}); start again when it does"
        )
    rows = (line.split("|", 2) for line in done.stdout.splitlines())
    ours = {number for number, name, where in rows if name.startswith(JOB_NAME) and Path(where) == folder}
    return sorted(ours - {os.environ.get("SLURM_JOB_ID", "")}, key=int)


def _end_slurm_jobs(folder: Path, must_answer: bool, patience_s: float) -> list[str]:
    try:
        found = slurm_jobs(folder)
    except WorkflowError:
        if must_answer:
            raise
        return []
    if not found:
        return []
    subprocess.run(["scancel", *found], capture_output=True, check=False)
    deadline = time.monotonic() + patience_s
    while left := slurm_jobs(folder):
        if time.monotonic() > deadline:
            raise WorkflowError(
                f"the Slurm jobs {', '.join(left)} of an earlier run do not end; see `squeue --me`, and start again "
                "once they are gone"
            )
        time.sleep(0.5)
    return [f"Slurm job {number} cancelled" for number in found]


def _end_processes(folder: Path, patience_s: float) -> list[str]:
    found = _processes(folder)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(found, timeout=min(patience_s, 20))
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _, alive = psutil.wait_procs(alive, timeout=10)
    if alive:
        raise WorkflowError(
            f"processes of an earlier run on {platform.node()} do not end: {', '.join(str(p.pid) for p in alive)}"
        )
    return [f"process {process.pid} ended" for process in found]


def _processes(folder: Path) -> list[psutil.Process]:
    """Return the processes here that a head of this folder started, but for our own kin."""
    own = {os.getpid(), *(p.pid for p in psutil.Process().parents()), *(p.pid for p in psutil.Process().children(True))}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.environ().get(MARK) == str(folder):
                found.append(process)
        except psutil.Error:  # another user's, or just gone
            continue
    return found

"""Only jobs of the folder's own earlier heads are ended."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from hypnoflow.errors import WorkflowError
from hypnoflow.head.orphans import MARK, end_orphans, slurm_jobs

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"


def job(folder, code="print(1, flush=True); import time; time.sleep(600)"):
    """Start a process as a head of `folder` would."""
    environment = {**os.environ, MARK: str(folder)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Return a function that puts a shell script under a program's name on the path."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def put(name, script):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return put


@pytest.fixture(autouse=True)
def not_our_children(monkeypatch):
    """The processes of these tests are children of the test, as a dead head's are not."""
    monkeypatch.setattr(psutil.Process, "children", lambda *_: [])


def test_processes_of_this_folder_are_ended_and_those_of_others_left(tmp_path, program):
    program("squeue", "exit 0")
    ours, stubborn, other = job(tmp_path), job(tmp_path, STUBBORN), job(tmp_path / "other")
    said = end_orphans(tmp_path, slurm=False, patience_s=1)
    assert sorted(said) == sorted(f"process {p.pid} ended" for p in (ours, stubborn))
    assert ours.poll() is not None
    assert stubborn.poll() is not None
    assert other.poll() is None
    other.kill()


def test_slurm_jobs_are_told_by_name_and_folder(tmp_path, program, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4")  # the job that the head itself runs in
    rows = [f"{n}|{name}|{where}" for n, name, where in (
        (1, "hypnoflow_ab", tmp_path), (2, "hypnoflow_ab", "/elsewhere"), (3, "mine", tmp_path),
        (4, "hypnoflow_ab", tmp_path), (10, "hypnoflow_dask", tmp_path))]  # fmt: skip
    program("squeue", "\n".join(f"echo '{row}'" for row in rows))
    assert slurm_jobs(tmp_path) == ["1", "10"]


def test_slurm_jobs_are_cancelled_and_waited_for(tmp_path, program):
    queue = tmp_path / "queue"
    queue.write_text(f"7|hypnoflow_ab|{tmp_path}\n")
    program("squeue", f"cat {queue}; [ -f {tmp_path}/cancelled ] && : > {queue}; true")
    program("scancel", f'echo "$@" > {tmp_path}/cancelled')
    assert end_orphans(tmp_path, slurm=True) == ["Slurm job 7 cancelled"]
    assert (tmp_path / "cancelled").read_text() == "7\n"


def test_slurm_jobs_that_do_not_end_stop_the_start(tmp_path, program):
    program("squeue", f"echo '7|hypnoflow_ab|{tmp_path}'")
    program("scancel", "true")
    with pytest.raises(WorkflowError, match="Slurm jobs 7 of an earlier run do not end"):
        end_orphans(tmp_path, slurm=True, patience_s=0.1)


def test_a_slurm_that_does_not_answer_matters_only_to_who_needs_it(tmp_path, program):
    program("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    assert end_orphans(tmp_path, slurm=False) == []
    with pytest.raises(WorkflowError, match="squeue does not answer.*Unable to contact"):
        end_orphans(tmp_path, slurm=True)

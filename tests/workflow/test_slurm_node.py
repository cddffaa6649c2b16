"""The one-node Slurm of the tests starts, runs a job and leaves nothing behind."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.workflow.slurm_node import running_slurm


@pytest.fixture
def node():
    with running_slurm() as started:
        yield started


def test_a_job_runs_and_stopping_ends_every_daemon(node):
    said = node.folder / "job.out"
    node.call("sbatch", "--output", str(said), "--wrap", "echo job $SLURM_JOB_ID on $SLURM_CPUS_ON_NODE")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (said.exists() and said.read_text()):
        time.sleep(0.2)
    assert said.read_text().startswith("job 1 on ")
    node.stop()
    left = [p.info["name"] for p in psutil.process_iter(["name", "cmdline"]) if str(node.folder) in str(p.info)]
    assert left == []

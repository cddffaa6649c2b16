"""Dask's workers in jobs of a real Slurm: the same results, also when jobs are cancelled; nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from dask.base import compute
from dask.delayed import delayed

from hypnoflow.config.features import Features
from hypnoflow.config.run_options import Run
from hypnoflow.dask import dask_scheduler, in_pieces
from hypnoflow.errors import SchedulerError
from hypnoflow.features.rows import write_features
from hypnoflow.store.scores import StoredScores, write_scores
from hypnoflow.types import RESOLUTIONS
from tests.workflow.slurm_node import SlurmNode, running_slurm

WAIT_S = 60.0


@pytest.fixture(scope="module")
def node():
    with running_slurm() as started, pytest.MonkeyPatch.context() as patch:
        for name in ("PATH", "SLURM_CONF"):
            patch.setenv(name, started.environment[name])
        yield started


@pytest.fixture
def run(tmp_path):
    """Return the options of two jobs of one worker each."""
    return Run(dask="slurm", dask_jobs=2, threads=1, dask_memory_mb=500, results=str(tmp_path / "some results"))


def queued(node: SlurmNode) -> list[str]:
    """Return the jobs that wait or run; those that are on their way out have let go of their workers."""
    return node.call("squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%i").split()


def until(holds) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_features_of_workers_in_jobs_are_those_of_this_process(node, run, tmp_path):
    rng = np.random.default_rng(4)
    rows = []
    for name in ("a", "b", "c"):
        stage = {f: rng.integers(0, 5, 60 * f).astype(np.uint8) for f in RESOLUTIONS}
        p = rng.dirichlet(np.ones(5), 60 * 30).astype(np.float32)
        write_scores(tmp_path / "abc" / "000.zarr", name, StoredScores(stage, p, 30), {}, {})
        rows.append({"cohort": "abc", "shard": "000", "recording": name, "person": name, "group": "", "split": "test"})
    split = pd.DataFrame(rows)
    jobs, here = tmp_path / "jobs", tmp_path / "here"
    for parts in (jobs, here):
        parts.mkdir()
    with dask_scheduler(run):
        assert len(queued(node)) == 2
        write_features(split, tmp_path, Features(), tmp_path / "jobs.parquet", jobs)
    assert queued(node) == []
    with dask_scheduler(Run(dask="threads", threads=1)):
        write_features(split, tmp_path, Features(), tmp_path / "here.parquet", here)
    for kind in ("", ".blocks"):
        made = [pd.read_parquet(tmp_path / f"{where}{kind}.parquet") for where in ("jobs", "here")]
        pd.testing.assert_frame_equal(*made, check_exact=True)
    logs = sorted((Path(run.results) / "logs" / "slurm" / "dask").glob("*.log"))
    assert len(logs) == 2


def test_a_cancelled_job_is_replaced_and_its_work_done_again(node, run, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("hypnoflow.dask.slurm.ASK_AGAIN_S", 1)
    folder = str(tmp_path)

    def square(i: int) -> int:
        """Say in which job it runs, and wait for the sign to go on."""
        import os
        import time
        from pathlib import Path

        (Path(folder) / f"{i}-{os.environ['SLURM_JOB_ID']}").touch()
        while not (Path(folder) / "go").exists():
            time.sleep(0.05)
        return i * i

    def begun() -> set[str]:
        return {path.name.partition("-")[2] for path in tmp_path.glob("?-*")}

    def cancel_one() -> None:
        until(lambda: len(begun()) == 2)
        # Slurm takes no new job for a while, so that the first try to replace it fails.
        node.call("scontrol", "update", "PartitionName=main", "State=DRAIN")
        node.call("scancel", sorted(begun())[0])
        until(lambda: "Slurm refuses a job" in caplog.text)
        node.call("scontrol", "update", "PartitionName=main", "State=UP")
        # Only a third job, in the place of the first, lets the work go on.
        until(lambda: len(begun()) == 3)
        (tmp_path / "go").touch()

    helper = threading.Thread(target=cancel_one)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}), dask_scheduler(run):
        helper.start()
        found = in_pieces(square, [(i,) for i in range(6)])
    helper.join()
    assert found == [0, 1, 4, 9, 16, 25]
    assert len(begun()) == 3
    assert queued(node) == []


STOPPED = """
import sys, time
from pathlib import Path
from dask.base import compute
from dask.delayed import delayed
from hypnoflow.config.schema import Run
from hypnoflow.dask import dask_scheduler

if __name__ == "__main__":
    with dask_scheduler(Run.model_validate_json(sys.argv[1])):
        Path(sys.argv[2]).touch()
        compute(*[delayed(time.sleep)(100) for _ in range(2)])
"""


def test_no_job_is_left_when_the_one_that_asked_for_them_is_told_to_stop(node, run, tmp_path):
    (tmp_path / "stopped.py").write_text(STOPPED)
    command = [sys.executable, str(tmp_path / "stopped.py"), run.model_dump_json(), str(tmp_path / "working")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as asked:
        until((tmp_path / "working").exists)
        assert len(queued(node)) == 2
        asked.send_signal(signal.SIGTERM)
        assert asked.wait(WAIT_S) == 128 + signal.SIGTERM
    assert queued(node) == []


def test_an_error_of_the_work_is_the_users_and_leaves_no_job(node, run):
    with pytest.raises(json.JSONDecodeError), dask_scheduler(run):
        compute(delayed(json.loads)("{"))
    assert queued(node) == []


def test_a_partition_that_is_not_there_is_refused_in_slurms_words(node, run):
    unknown = run.model_copy(update={"dask_partition": "mian"})
    with pytest.raises(SchedulerError, match=r"partition mian.*invalid partition") as caught, dask_scheduler(unknown):
        pass
    assert "run.dask_" in str(caught.value)
    assert queued(node) == []


def test_a_full_queue_ends_in_how_many_jobs_are_pending_and_why(node, run):
    node.call("sbatch", "--exclusive", "--output=/dev/null", "--wrap", "sleep 100")
    until(lambda: node.call("squeue", "--noheader", "--states=RUNNING", "--format=%i").split())
    [holding] = queued(node)
    soon = run.model_copy(update={"dask_wait_min": 0.05})
    with pytest.raises(SchedulerError, match=r"2 of 2 jobs are pending \(.*(Resources|Priority)"), dask_scheduler(soon):
        pass
    assert queued(node) == [holding]
    node.call("scancel", holding)

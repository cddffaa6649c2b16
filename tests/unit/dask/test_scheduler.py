"""Where work is computed never changes its results; workers that die are replaced, and end with the block."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter

import dask
import numpy as np
import psutil
import pytest
from dask.base import compute
from dask.delayed import delayed
from threadpoolctl import threadpool_info

from hypnoflow.config.run_options import Run
from hypnoflow.dask import dask_scheduler, in_pieces
from hypnoflow.errors import RecordingError, SchedulerError

KINDS = [("threads", 1), ("threads", 2), ("processes", 2), ("distributed", 2)]
PLACES = pytest.mark.parametrize(("kind", "threads"), KINDS)
PIECES = [delayed(np.linalg.svd)(np.arange(9.0).reshape(3, 3) + i, compute_uv=False) for i in range(8)]


def place() -> tuple[int, set[int]]:
    """Return the process, and how many threads each of its pools of BLAS may use."""
    return os.getpid(), {pool["num_threads"] for pool in threadpool_info()}


@PLACES
def test_results_are_those_of_one_process_in_the_order_of_the_work(kind, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    expected = compute(*PIECES, scheduler="synchronous")
    before = dask.config.get("scheduler", None), signal.getsignal(signal.SIGTERM)
    with dask_scheduler(Run(dask=kind, threads=threads)):
        found = compute(*PIECES)
        places = compute(*[delayed(place, pure=False)() for _ in range(8)])
        with pytest.raises(RecordingError, match="torn"):  # as it is, whatever carried it here
            compute(delayed(torn)())
    np.testing.assert_array_equal(found, expected)
    assert {n for _, pools in places for n in pools} <= {1}
    here = kind == "threads"
    assert ({pid for pid, _ in places} == {os.getpid()}) == here
    assert before == (dask.config.get("scheduler", None), signal.getsignal(signal.SIGTERM))
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    assert not any(psutil.pid_exists(pid) for pid, _ in places if pid != os.getpid())


def torn() -> None:
    raise RecordingError("torn", recording="a")


def test_a_worker_that_is_killed_is_replaced_and_its_work_done_again(tmp_path):
    def square(i: int) -> int:
        (tmp_path / f"{i}-{os.getpid()}").touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.02)
        return i * i

    def begun() -> set[int]:
        return {int(path.name.partition("-")[2]) for path in tmp_path.glob("?-*")}

    def kill_one() -> None:
        wait(lambda: len(begun()) == 2)
        os.kill(min(begun()), signal.SIGKILL)
        wait(lambda: len(begun()) == 3)
        (tmp_path / "go").touch()

    helper = threading.Thread(target=kill_one)
    with dask_scheduler(Run(dask="distributed", threads=2)):
        helper.start()
        found = compute(*[delayed(square)(i) for i in range(6)])
    helper.join()
    assert found == (0, 1, 4, 9, 16, 25)


def test_a_lost_worker_costs_the_piece_that_it_held_and_no_finished_one(tmp_path):
    def noted(i: int) -> int:
        (tmp_path / f"{i}-{os.getpid()}").touch()
        if i == 3 and len(list(tmp_path.glob("3-*"))) == 1:
            time.sleep(1)  # for the results before to leave
            os.kill(os.getpid(), signal.SIGKILL)
        return i * i

    with dask_scheduler(Run(dask="distributed", threads=1)):
        found = in_pieces(noted, [(i,) for i in range(6)])
    assert found == [0, 1, 4, 9, 16, 25]
    runs = Counter(path.name[0] for path in tmp_path.iterdir())
    assert [runs[str(i)] for i in range(6)] == [1, 1, 1, 2, 1, 1]


@PLACES
def test_pieces_come_in_their_order_and_an_error_in_one_is_the_users(kind, threads):
    with dask_scheduler(Run(dask=kind, threads=threads)):
        assert in_pieces(divmod, [(7, 2), (9, 4), (5, 3)]) == [(3, 1), (2, 1), (1, 2)]
        assert in_pieces(divmod, []) == []
        with pytest.raises(ZeroDivisionError):
            in_pieces(divmod, [(7, 2), (9, 0)])


def wait(holds) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.slow  # four workers start and die
def test_work_that_needs_more_memory_than_a_worker_has_ends_in_an_error_that_says_so():
    def greedy() -> int:
        held = [np.ones(2**20) for _ in range(100)]  # 800 MB
        time.sleep(20)
        return len(held)

    run = Run(dask="distributed", threads=1, dask_memory_mb=400)
    with pytest.raises(SchedulerError, match="ended 4 workers.*400 MB.*run.dask_memory_mb"), dask_scheduler(run):
        compute(delayed(greedy)())


def test_a_killed_process_of_those_that_nobody_replaces_is_an_error_that_says_what_would():
    with (
        pytest.raises(SchedulerError, match="killed.*run.dask to distributed"),
        dask_scheduler(Run(dask="processes", threads=2)),
    ):
        compute(delayed(os.kill)(delayed(os.getpid)(), signal.SIGKILL))


def test_workers_that_are_lost_for_good_are_an_error_that_names_the_option():
    from distributed.scheduler import NoWorkerError

    from hypnoflow.dask.cluster import replacing_the_lost

    with (
        pytest.raises(SchedulerError, match="within 5 min.*run.dask_wait_min"),
        replacing_the_lost(Run(dask_wait_min=5)),
    ):
        assert dask.config.get("distributed.scheduler.no-workers-timeout") == "300s"
        raise NoWorkerError("piece", 300.0)


def test_sigterm_ends_the_block_as_an_exception_would():
    with pytest.raises(SystemExit) as caught, dask_scheduler(Run(dask="threads")):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    assert caught.value.code == 143


def test_slurm_where_there_is_none_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SchedulerError, match="no sbatch on this machine"), dask_scheduler(Run(dask="slurm")):
        pass


def test_jobs_of_workers_take_partition_and_account_of_the_job_around_them(monkeypatch, tmp_path):
    from dask_jobqueue.slurm import SLURMJob

    from hypnoflow.dask.slurm import job_options

    monkeypatch.setenv("SLURM_JOB_PARTITION", "night")
    monkeypatch.setenv("SLURM_JOB_ACCOUNT", "(null)")  # Slurm's word where there is no accounting

    def header(**options) -> list[str]:
        made = job_options(Run(results=str(tmp_path), **options))
        made.pop("scheduler_options")
        return SLURMJob("tcp://here:1", "name", **made).job_script().splitlines()

    lines = header(threads=3, dask_memory_mb=1024, dask_walltime_min=90)
    assert "#SBATCH -p night" in lines
    assert not [line for line in lines if line.startswith("#SBATCH -A")]
    assert {"#SBATCH --cpus-per-task=3", "#SBATCH --mem=3G", "#SBATCH -t 01:30:00"} <= set(lines)
    chosen = header(dask_partition="day", dask_account="sleep")
    assert {"#SBATCH -p day", "#SBATCH -A sleep"} <= set(chosen)

"""Workers of dask.distributed in processes of this machine, and what their losses mean."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import Client, LocalCluster
from distributed.scheduler import KilledWorker, NoWorkerError

from hypnoflow.config.run_options import Run
from hypnoflow.errors import SchedulerError

DEATHS = 3  # workers that a piece of work may lose before it is blamed for that, as by default


@contextmanager
def local_workers(run: Run) -> Iterator[None]:
    """Send what dask computes within the block to processes that are replaced when they die."""
    with (
        replacing_the_lost(run),
        LocalCluster(
            n_workers=run.threads,
            threads_per_worker=1,
            memory_limit=f"{run.dask_memory_mb}MB",
            dashboard_address=":0",  # any free port
            silence_logs=logging.WARNING,
        ) as cluster,
        Client(cluster),
    ):
        yield


@contextmanager
def replacing_the_lost(run: Run) -> Iterator[None]:
    """Set how losses of workers are taken within the block, and say what the scheduler's own errors mean.

    Raises
    ------
    SchedulerError
        If a piece of work ends every worker that it is given to, or if there has been no worker for too long.
    """
    options = {
        "distributed.scheduler.allowed-failures": DEATHS,
        "distributed.scheduler.no-workers-timeout": f"{run.dask_wait_min * 60:.0f}s",
    }
    try:
        with dask.config.set(options), _warnings_only():
            yield
    except KilledWorker as error:
        raise SchedulerError(
            f"a piece of work ended {DEATHS + 1} workers one after another, most likely for want of memory: each had "
            f"{run.dask_memory_mb} MB; set run.dask_memory_mb higher (it is {error.task!r})"
        ) from error
    except NoWorkerError as error:
        raise SchedulerError(
            f"all workers were lost and none came back within {run.dask_wait_min:g} min (run.dask_wait_min); see "
            "their logs and the queue, or set run.dask to processes"
        ) from error


@contextmanager
def _warnings_only() -> Iterator[None]:
    """Leave the comings and goings of workers out of the log; what is lost still stands in it."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)

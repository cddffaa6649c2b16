"""Within `dask_scheduler`, whatever dask computes goes to threads, processes, or workers that are replaced."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from types import FrameType

import dask
from threadpoolctl import threadpool_limits

from hypnoflow.config.run_options import Run
from hypnoflow.errors import SchedulerError

log = logging.getLogger(__name__)

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # what new processes read: BLAS, torch


@contextmanager
def dask_scheduler(run: Run) -> Iterator[None]:
    """Send what dask computes within the block where `run` says; results never depend on where that is.

    - *threads* and *processes*: `run.threads` of them here; with one, no process is started.
    - *distributed*: `run.threads` processes here, each with `run.dask_memory_mb`. One that dies is replaced and its
      work is done again.
    - *slurm*: the same in `run.dask_jobs` Slurm jobs, see `hypnoflow.dask.slurm`.

    Every worker uses one thread of BLAS. Workers end with the block, also after an error or SIGTERM.

    Raises
    ------
    SchedulerError
        If workers cannot be had, or if a piece of work ends the workers that it is given to.
    """
    kinds = {"threads": _here, "processes": _processes, "distributed": _local_cluster, "slurm": _slurm}
    with _ending_on_sigterm(), _one_thread_of_blas(), kinds[run.dask](run):
        yield


@contextmanager
def _here(run: Run) -> Iterator[None]:
    if run.threads == 1:
        with dask.config.set(scheduler="synchronous"):
            yield
        return
    # The limit of a pool of OpenMP is a thread's own: each thread of ours has to set it.
    with (
        ThreadPoolExecutor(run.threads, initializer=threadpool_limits, initargs=(1,)) as pool,
        dask.config.set(scheduler="threads", pool=pool),
    ):
        yield


@contextmanager
def _processes(run: Run) -> Iterator[None]:
    """Start the processes once for all that is computed: each takes seconds to import what it needs."""
    if run.threads == 1:
        with _here(run):
            yield
        return
    with (
        ProcessPoolExecutor(run.threads, mp_context=get_context("spawn")) as pool,
        # By default dask hands out six pieces at a time, and one process may get all there are.
        dask.config.set(scheduler="processes", pool=pool, chunksize=1),
    ):
        try:
            yield
        except BrokenProcessPool as error:
            raise SchedulerError(
                "a worker process was killed, most likely for want of memory; set run.threads lower, or run.dask to "
                "distributed, which replaces it"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _local_cluster(run: Run) -> AbstractContextManager[None]:
    from hypnoflow.dask.cluster import local_workers

    return local_workers(run)


def _slurm(run: Run) -> AbstractContextManager[None]:
    from hypnoflow.dask.slurm import slurm_workers

    return slurm_workers(run)


@contextmanager
def _one_thread_of_blas() -> Iterator[None]:
    """Let this process, and those that it starts, do linear algebra in one thread: dask is what works side by side."""
    before = {name: os.environ.get(name) for name in POOLS}
    os.environ.update(dict.fromkeys(POOLS, "1"))
    try:
        with threadpool_limits(1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as an exception would, so that workers end with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the tidying
        log.warning("asked to stop (SIGTERM): workers are being ended")
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

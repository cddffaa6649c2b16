"""Workers of dask in Slurm jobs, by dask-jobqueue's `SLURMCluster`: had, replaced when they die, and ended.

What a site needs beyond run's options, a network interface or a QOS say, belongs into dask's own configuration,
``~/.config/dask/jobqueue.yaml``: https://jobqueue.dask.org/en/latest/clusters-configuration.html
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
from dask_jobqueue.slurm import SLURMCluster, SLURMJob
from distributed import Client
from distributed.deploy.spec import ProcessInterface

from hypnoflow.config.run_options import Run
from hypnoflow.dask.cluster import replacing_the_lost
from hypnoflow.errors import SchedulerError

log = logging.getLogger(__name__)

# A run's jobs are known by their name to whoever cleans up after it; those that somebody asked for by hand are his.
JOB_NAME = "hypnoflow_dask" if "HYPNOFLOW_FOLDER" in os.environ else "dask-hypnoflow"
ASK_AGAIN_S = 30  # after Slurm refused a job
LEAVE_S = 60  # before its time limit, a worker hands back its work; at most a tenth of it


@contextmanager
def slurm_workers(run: Run) -> Iterator[None]:
    """Send what dask computes within the block to workers in Slurm jobs; the jobs end with the block.

    Raises
    ------
    SchedulerError
        If there is no Slurm here, if it refuses the jobs, or if no worker comes in time.
    """
    if shutil.which("sbatch") is None:
        raise SchedulerError("run.dask is slurm, but there is no sbatch on this machine; set it to distributed")
    refusals: list[str] = []
    with (
        replacing_the_lost(run),
        SLURMCluster(job_cls=_job_class(refusals), **job_options(run)) as cluster,
        Client(cluster),
    ):
        # As many at least as at most: a job that is gone is asked for again, and none is let go.
        cluster.adapt(minimum_jobs=run.dask_jobs, maximum_jobs=run.dask_jobs)
        _wait_for_a_worker(cluster, refusals, run)
        yield


def job_options(run: Run) -> dict[str, Any]:
    """Return what a job of workers is: one process per core, each with its memory."""
    folder = Path(run.results).absolute() / "logs" / "slurm" / "dask"
    folder.mkdir(parents=True, exist_ok=True)
    leave_s = run.dask_walltime_min * 60 - min(LEAVE_S, run.dask_walltime_min * 6)
    site = dask.config.get("jobqueue.slurm.job-extra-directives", [])
    return {
        "queue": _of_this_job(run.dask_partition, "SLURM_JOB_PARTITION"),
        "account": _of_this_job(run.dask_account, "SLURM_JOB_ACCOUNT"),
        "cores": run.threads,
        "processes": run.threads,
        "memory": f"{run.threads * run.dask_memory_mb}MB",
        "walltime": f"{run.dask_walltime_min // 60:02d}:{run.dask_walltime_min % 60:02d}:00",
        "job_name": JOB_NAME,
        "python": sys.executable,
        "worker_extra_args": ["--lifetime", f"{leave_s}s", "--lifetime-stagger", f"{min(LEAVE_S, leave_s // 10)}s"],
        "job_extra_directives": [*site, f'--output="{folder}/%j.log"'],
        "scheduler_options": {"dashboard_address": ":0"},
    }


def _of_this_job(wanted: str, variable: str) -> str | None:
    """Return what the user wants, or what the Slurm job around us has; None leaves it to Slurm."""
    found = os.environ.get(variable, "") if wanted == "auto" else wanted
    return found if found not in ("", "(null)") else None


def _job_class(refusals: list[str]) -> Any:
    """Return a job that notes what sbatch says when it refuses, and is asked for again later.

    dask-jobqueue's own raises in its event loop, where nobody hears it, and counts as had from then on.
    """

    class PatientJob(SLURMJob):
        async def start(self) -> None:
            try:
                await super().start()
            except (RuntimeError, OSError) as error:
                refusals.append(_said(str(error)))
                log.warning("Slurm refuses a job of workers: %s", refusals[-1])
                await ProcessInterface.start(self)  # taken for one that is there, without an id to cancel
                asyncio.get_running_loop().call_later(ASK_AGAIN_S, self._forget)

        async def close(self) -> None:
            await super().close()
            await ProcessInterface.close(self)  # SLURMJob stays "running", which fails the cluster's own last check

        def _forget(self) -> None:
            cluster = self._cluster()  # type: ignore[attr-defined]  # SpecCluster sets it
            if cluster is not None:
                cluster.workers.pop(self.name, None)  # what is missing, `adapt` asks for

    return PatientJob


def _said(error: str) -> str:
    """Return what sbatch wrote to its standard error, in one line."""
    found = re.search(r"stderr:\n(.*)", error, re.DOTALL)
    return " ".join((found[1] if found else error).split())


def _wait_for_a_worker(cluster: SLURMCluster, refusals: list[str], run: Run) -> None:
    begun = time.monotonic()
    scheduler: Any = cluster.scheduler
    while not scheduler.workers:
        taken = [job for job in cluster.workers.values() if job.job_id]  # in the queue at least
        if refusals and cluster.workers and not taken:
            asked = f"partition {run.dask_partition}, account {run.dask_account}, {run.dask_walltime_min} min"
            raise SchedulerError(f"Slurm refuses jobs for dask's workers ({asked}; options run.dask_*): {refusals[0]}")
        if time.monotonic() - begun > run.dask_wait_min * 60:
            raise SchedulerError(_why_none_came(run, scheduler.address))
        time.sleep(0.2)
    log.info("first worker after %.0f s, of %d Slurm jobs", time.monotonic() - begun, run.dask_jobs)


def _why_none_came(run: Run, address: str) -> str:
    """Return how the jobs stand, and what to do."""
    what = f"no worker of dask came within {run.dask_wait_min:g} min"
    command = ["squeue", "--noheader", "--me", f"--name={JOB_NAME}", "--format=%T %r"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    states = [line.partition(" ") for line in done.stdout.splitlines()]
    pending = [reason for state, _, reason in states if state == "PENDING"]
    if pending:
        reasons = ", ".join(sorted(set(pending)))
        return (
            f"{what}: {len(pending)} of {len(states)} jobs are pending ({reasons}); ask for less (run.dask_jobs, "
            "run.dask_memory_mb, run.dask_walltime_min), wait longer (run.dask_wait_min), take another partition "
            "(run.dask_partition), or set run.dask to processes"
        )
    folder = Path(run.results).absolute() / "logs" / "slurm" / "dask"
    return (
        f"{what}, and no job is pending; their logs are in {folder}. If they run but cannot reach {address}, set "
        "jobqueue.slurm.interface in ~/.config/dask/jobqueue.yaml to the cluster's network"
    )

"""Options that change no result: where and how wide the work runs."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import field_validator

from hypnoflow.config.section import Section, option


class Run(Section):
    """Options that change no result, but for the order in which floating-point numbers are added."""

    results: str = option("results", "Folder of all outputs.")
    threads: int = option(2, "Cores that one job may use.", "cores", ge=1)
    device: Literal["auto", "cpu", "cuda"] = option("auto", "Where networks run; auto takes a GPU where there is one.")
    on_error: Literal["skip", "abort"] = option(
        "skip", "What a bad recording does: it is skipped and listed, or it stops the job."
    )
    max_skipped: float = option(
        0.2, "A cohort's job fails if more than this share of its recordings is skipped.", "1", ge=0, le=1
    )
    cache_mb: int = option(
        2000, "Memory for decoded training recordings; what does not fit is read from disk.", "MB", ge=0
    )
    devices: int = option(
        1,
        "GPUs, or processes on the CPU, that train one network; srun's tasks go before. batch_size is all devices'.",
        "devices",
        ge=1,
    )
    workers: int = option(
        0, "Processes that read training windows; with 0 the training process does.", "processes", ge=0
    )
    compile: bool = option(
        False, "Compile the network for training; as the number of devices, it changes the order of sums only."
    )
    checkpoint_every_min: float = option(
        10.0, "Time between two states of training on disk; one more is kept after each round.", "min", ge=0
    )
    verify: Literal["none", "sizes", "hashes"] = option(
        "sizes",
        "What every start compares results with their JSONs by; what is damaged is made again. hashes reads all.",
    )
    log_level: Literal["debug", "info", "warning"] = option("info", "How much the logs say.")
    dask: Literal["threads", "processes", "distributed", "slurm"] = option(
        "processes",
        "Where cohort-wide work runs: in threads, processes, processes that are replaced when they die (distributed), "
        "or Slurm jobs.",
    )
    dask_memory_mb: int = option(
        2000, "Memory of each worker of distributed and slurm; one that takes more is replaced.", "MB", ge=200
    )
    dask_jobs: int = option(4, "Slurm jobs that hold workers, run.threads in each.", "jobs", ge=1)
    dask_partition: str = option("auto", "Their partition; auto takes that of the job that asks for them.")
    dask_account: str = option("auto", "Their account; auto as for the partition.")
    dask_walltime_min: int = option(
        240, "Their time limit; a worker leaves before it, and a new one goes on with its work.", "min", ge=2
    )
    dask_wait_min: float = option(
        60.0, "After so long without any worker, in a full queue say, the job fails.", "min", gt=0
    )

    @field_validator("results")
    @classmethod
    def _as_snakemake_writes_it(cls, results: str) -> str:
        return os.path.normpath(results)

"""Where cohort-wide work runs: the one place that chooses a scheduler of dask."""

from hypnoflow.dask.pieces import in_pieces
from hypnoflow.dask.scheduler import dask_scheduler

__all__ = ["dask_scheduler", "in_pieces"]

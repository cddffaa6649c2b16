"""Runs of equal stages: a fine hypnogram has millions of steps, but only thousands of runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypnoflow.types import STAGES, StageArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Maximal stretches of one stage, in order of time.

    stage : ndarray of uint8, shape (run,)
    start, stop : ndarray of int, shape (run,)
        First step, and the first step after it.
    """

    stage: StageArray
    start: Ints
    stop: Ints

    @property
    def length(self) -> Ints:
        """Steps of each run, shape (run,)."""
        return self.stop - self.start

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which runs are of a stage, shape (run,)."""
        return self.stage < len(STAGES)

    def within(self, start: int, stop: int) -> Runs:
        """Return the runs between two steps, cut at both, with steps counted from `start`."""
        first = int(np.searchsorted(self.stop, start, side="right"))
        last = max(first, int(np.searchsorted(self.start, stop, side="left")))
        part = slice(first, last)
        starts, stops = np.maximum(self.start[part], start), np.minimum(self.stop[part], stop)
        return Runs(self.stage[part], starts - start, stops - start)

    def steps_of(self) -> Ints:
        """Return the number of steps of each stage, shape (stage,)."""
        known = self.scored
        return np.bincount(self.stage[known], self.length[known], len(STAGES)).astype(np.int64)


def runs_of(stage: StageArray) -> Runs:
    """Return the runs of a sequence of stages, shape (step,)."""
    edges = np.flatnonzero(stage[1:] != stage[:-1]) + 1
    bounds = np.concatenate([[0], edges, [len(stage)]]) if len(stage) else np.zeros(1, np.int64)
    return Runs(stage[bounds[:-1]], bounds[:-1], bounds[1:])

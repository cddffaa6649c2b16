"""What every feature is computed from: stages at one resolution, as steps and as runs, and their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

from hypnoflow.night.stage_runs import Runs, runs_of
from hypnoflow.types import EPOCH_S, StageArray, W, is_asleep

Floats = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True)
class Hypnogram:
    """A sequence of stages, and the sleep period that the 30-s hypnogram of the same night delimits.

    stage : ndarray of uint8, shape (step,)
    steps_per_epoch : int
        Predictions per 30 s.
    period : slice of int
        From the first to the last epoch that is not W at 30 s, in epochs; empty where there is no sleep.
    probability : ndarray, shape (step, stage), optional
        The hypnodensity on the same steps, NaN where nothing was recorded; None where it was not stored so finely.
    """

    stage: StageArray
    steps_per_epoch: int
    period: slice
    probability: Floats | None = None

    @property
    def step_s(self) -> float:
        return EPOCH_S / self.steps_per_epoch

    @property
    def steps(self) -> slice:
        """Steps of the sleep period."""
        return slice(self.period.start * self.steps_per_epoch, self.period.stop * self.steps_per_epoch)

    @property
    def asleep(self) -> StageArray:
        """Stages of the sleep period, shape (step,)."""
        return self.stage[self.steps]

    @cached_property
    def runs(self) -> Runs:
        """Runs of the whole recording."""
        return runs_of(self.stage)

    @cached_property
    def sleep_runs(self) -> Runs:
        """Runs of the sleep period, in steps from its start."""
        return self.runs.within(self.steps.start, self.steps.stop)

    @cached_property
    def stage_h(self) -> Floats:
        """Hours of each stage in the sleep period, shape (stage,)."""
        return self.sleep_runs.steps_of() * self.step_s / 3600

    @property
    def scored_h(self) -> float:
        """Hours of the sleep period that have a stage."""
        return float(self.stage_h.sum())

    @property
    def asleep_h(self) -> float:
        """Hours of sleep in the sleep period."""
        return float(self.stage_h[W + 1 :].sum())


def sleep_period(stage: StageArray) -> slice:
    """Return the epochs from the first to the last of sleep, shape (epoch,) at 30 s; empty without sleep."""
    asleep = np.flatnonzero(is_asleep(stage))
    return slice(int(asleep[0]), int(asleep[-1]) + 1) if len(asleep) else slice(0, 0)


def density_at(probability: NDArray[np.floating], stored: int, wanted: int) -> Floats | None:
    """Return the hypnodensity as means over the steps of another resolution.

    Parameters
    ----------
    probability : ndarray, shape (step, stage)
        At `stored` steps per 30 s; NaN where nothing was recorded.
    wanted : int
        Steps per 30 s of the result. Steps that straddle two of the stored ones take of each its share.

    Returns
    -------
    ndarray, shape (step, stage), or None
        None where the steps wanted are finer than those stored: nothing is known of them.
    """
    if wanted > stored:
        return None
    if wanted == stored:
        return probability.astype(float)
    n = len(probability) * wanted // stored
    if not n:
        return np.zeros((0, probability.shape[1]))
    none = np.zeros((1, probability.shape[1]))
    known = np.concatenate([none, np.cumsum(np.nan_to_num(probability), 0, float)])  # gaps count nothing, see below
    at = np.arange(n + 1) * stored / wanted
    low = np.minimum(at.astype(int), len(probability) - 1)
    area = known[low] + (at - low)[:, None] * (known[low + 1] - known[low])
    means = np.diff(area, axis=0) * wanted / stored
    total = means.sum(1, keepdims=True)
    return np.where(total > 0.5, means / np.maximum(total, 0.5), np.nan)  # a step is known where most of it is


def ratio(part: SupportsFloat, whole: SupportsFloat) -> float:
    """Return a quotient, NaN where there is nothing to divide by."""
    return float(part) / float(whole) if float(whole) else NAN


def ratios(part: NDArray[np.number], whole: NDArray[np.number] | float) -> Floats:
    """Return quotients, NaN where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.asarray(part / whole, float)
    return np.where(np.isfinite(found), found, NAN)

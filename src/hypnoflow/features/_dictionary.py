"""The registry of features: each function says what it returns, in what unit, what it means and where it is from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypnoflow.config import Features
from hypnoflow.registry import Functions
from hypnoflow.types import StageArray


@dataclass(frozen=True, slots=True)
class Hypnogram:
    """A sequence of stages, and the sleep period that the 30-s hypnogram of the same night delimits.

    stage : ndarray of uint8, shape (step,)
    steps_per_epoch : int
        Predictions per 30 s.
    period : slice of int
        From the first to the last epoch that is not W at 30 s, in epochs; empty where there is no sleep.
    """

    stage: StageArray
    steps_per_epoch: int
    period: slice

    @property
    def step_s(self) -> float:
        return 30 / self.steps_per_epoch

    @property
    def asleep(self) -> StageArray:
        """Stages of the sleep period, shape (step,)."""
        f = self.steps_per_epoch
        return self.stage[self.period.start * f : self.period.stop * f]


Compute = Callable[[Hypnogram, Features], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Column:
    """One feature: its name, unit and meaning."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Feature:
    """A function of a hypnogram with the columns that it returns, and the source of the method."""

    compute: Compute
    columns: tuple[Column, ...]
    source: str


features: Functions[Feature] = Functions("feature")


def feature(group: str, columns: Sequence[Column], source: str) -> Callable[[Compute], Compute]:
    """Return a decorator that registers a function under `group`, with the columns that it returns."""

    def add(compute: Compute) -> Compute:
        features.register(group)(Feature(compute, tuple(columns), source))
        return compute

    return add

"""The registry of features: each function says what it returns, in what unit, what it means and where it is from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hypnoflow.night.hypnogram import Hypnogram
from hypnoflow.registry import Functions

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

Compute = Callable[[Hypnogram, "Features"], dict[str, float]]


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


def dictionary() -> pd.DataFrame:
    """Return the feature dictionary: name, group, unit, meaning, source."""
    return pd.DataFrame(
        [
            {"name": c.name, "group": group, "unit": c.unit, "meaning": c.meaning, "source": each.source}
            for group, each in features
            for c in each.columns
        ]
    )

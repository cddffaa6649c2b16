"""What is predicted: a number or a class per person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True)
class Target:
    """What is predicted of a person.

    of : callable
        Persons' facts (columns age_y, sex as 0 female and 1 male, ahi_per_h; a row per person) to the target; NaN
        where it is not known.
    classes : tuple of str
        Names of classes 0 and 1; empty for a number.
    unit : str
        Of a number.
    uses : str
        The demographic fact that this target is; it is left out of what predicts it.
    """

    name: str
    of: Callable[[pd.DataFrame], pd.Series[float]]
    classes: tuple[str, ...] = ()
    unit: str = ""
    uses: str = ""

    @property
    def is_class(self) -> bool:
        return bool(self.classes)


def _has_apnea(persons: pd.DataFrame, limit: float) -> pd.Series[float]:
    ahi = persons["ahi_per_h"].astype(float)
    return (ahi >= limit).astype(float).where(ahi.notna())


def _log_ahi(persons: pd.DataFrame) -> pd.Series[float]:
    return pd.Series(np.log10(persons["ahi_per_h"].to_numpy(float) + 1), persons.index)


def _apnea(limit: float) -> Target:
    classes = (f"AHI < {limit:g}/h", f"AHI >= {limit:g}/h")
    return Target(f"apnea_{limit:g}", partial(_has_apnea, limit=limit), classes)


TARGETS = {
    target.name: target
    for target in (
        Target("age", lambda persons: persons["age_y"].astype(float), unit="years", uses="age_y"),
        Target("sex", lambda persons: persons["sex"].astype(float), ("female", "male"), uses="sex"),
        *(_apnea(limit) for limit in (5, 15, 30)),
        Target("log_ahi", _log_ahi, unit="log10(AHI + 1)"),
    )
}

"""What is predicted: a number or a class per person, from the manifest's columns."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hypnoflow.config import Predict


@dataclass(frozen=True, slots=True)
class Target:
    """A target by recording.

    y : Series indexed like the manifest; NaN where the cohort does not tell
    classes : tuple of str
        Names of classes 0 and 1; empty for a number.
    unit : str
        Of a number.
    """

    name: str
    y: pd.Series[float]
    classes: tuple[str, ...] = ()
    unit: str = ""

    @property
    def is_class(self) -> bool:
        return bool(self.classes)

    @property
    def error_name(self) -> str:
        """What the comparison minimises."""
        return "1 - macro-F1" if self.is_class else f"RMSE ({self.unit})"


def make_target(name: str, manifest: pd.DataFrame, options: Predict) -> Target:
    """Return the target `name` for every row of a manifest (of all cohorts)."""
    if name == "age":
        return Target("age", manifest["age_y"].astype(float), unit="years")
    if name == "sex":
        return Target("sex", manifest["sex"].map({"female": 0.0, "male": 1.0}).astype(float), ("female", "male"))
    limit = options.apnea_ahi_per_h
    ahi = manifest["ahi_per_h"].astype(float)
    y = (ahi >= limit).astype(float).where(ahi.notna())
    return Target("apnea", y, (f"AHI < {limit:g}/h", f"AHI >= {limit:g}/h"))

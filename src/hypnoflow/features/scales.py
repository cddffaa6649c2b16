"""How features change with resolution: one number per recording and feature, over all resolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hypnoflow.features._dictionary import features
from hypnoflow.night.hypnogram import NAN, Floats

YARDSTICK = "classic"
KEYS = ("cohort", "shard", "recording", "person", "group", "split")
LEAST = 3  # resolutions behind a slope


def compared_columns() -> list[str]:
    """Return the names of all features but the classic statistics."""
    return [column.name for group, each in features if group != YARDSTICK for column in each.columns]


def slopes(table: pd.DataFrame, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the least-squares slope of each feature over log10 of the step length.

    Parameters
    ----------
    table : DataFrame
        A row per recording and resolution, as `hypnoflow.features.rows.tables` makes it.
    columns : sequence of str, optional
        Names of features; by default all but the classic statistics.

    Returns
    -------
    DataFrame
        A row per recording: what names it, and ``{name}_slope``, the change of the feature, in its unit, with each
        tenfold length of the step. Resolutions where a feature is NaN are left out of its slope, and one known at
        fewer than three is NaN.
    """
    names = list(columns) if columns is not None else [c for c in compared_columns() if c in table]
    keys = [key for key in KEYS if key in table]
    rows, found = [], []
    for _, part in table.groupby(["cohort", "recording"], sort=False):
        rows.append(part.iloc[0][keys])
        found.append(_slopes(np.log10(part["step_s"].to_numpy(float)), part[names].to_numpy(float)))
    about = pd.DataFrame(rows, columns=keys).reset_index(drop=True)
    values = np.stack(found) if found else np.zeros((0, len(names)))
    return pd.concat([about, pd.DataFrame(values, columns=[f"{name}_slope" for name in names])], axis=1)


def _slopes(x: Floats, y: Floats) -> Floats:
    """Return the slope of each column of y, shape (resolution, feature), over x, shape (resolution,)."""
    known = np.isfinite(y)
    n = known.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        dx = np.where(known, x[:, None] - np.where(known, x[:, None], 0).sum(0) / n, 0)
        mean = np.where(known, y, 0).sum(0) / n
        slope = (dx * np.where(known, y - mean, 0)).sum(0) / (dx**2).sum(0)
    return np.where(n >= LEAST, slope, NAN)

"""Comparisons of conditions on the same persons: paired bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BLOCK = 250  # resamples that are in memory at once
Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]  # weights (resample, unit) → value (resample, condition)


def paired_bootstrap(
    statistic: Statistic, n: int, *, reference: int, resamples: int, confidence: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return each condition's value and its difference to a reference, with percentile bootstrap intervals.

    Units (persons or families) are drawn with replacement, the same draw for every condition, so that differences
    are paired (Efron & Tibshirani 1993, chapter 13).

    Parameters
    ----------
    statistic : callable
        Weights of shape (resample, unit), how often each unit counts, to values of shape (resample, condition).
    n : int
        Units. Of one alone nothing can be said about others: its intervals are NaN.
    reference : int
        Condition that the others are compared with.

    Returns
    -------
    DataFrame
        One row per condition: value, low, high, difference, difference_low, difference_high.
    """
    point = statistic(np.ones((1, n)))[0]
    blocks = []
    for start in range(0, resamples, BLOCK):
        size = min(BLOCK, resamples - start)
        blocks.append(statistic(rng.multinomial(n, np.full(n, 1 / n), size=size).astype(float)))
    drawn = np.concatenate(blocks)  # (resample, condition)
    tail = (1 - confidence) / 2
    ends = (tail, 1 - tail)
    low, high = np.quantile(drawn, ends, axis=0)
    low_d, high_d = np.quantile(drawn - drawn[:, [reference]], ends, axis=0)
    table = pd.DataFrame(
        {
            "value": point,
            "low": low,
            "high": high,
            "difference": point - point[reference],
            "difference_low": low_d,
            "difference_high": high_d,
        }
    )
    if n < 2:
        table[["low", "high", "difference_low", "difference_high"]] = np.nan
    return table

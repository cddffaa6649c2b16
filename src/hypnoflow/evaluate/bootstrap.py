"""Intervals from resampling persons; one draw serves all measures, so that their differences are paired."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 250  # resamples that are in memory at once


def resampled(measure: Callable[[Floats], Floats], persons: int, resamples: int, rng: np.random.Generator) -> Floats:
    """Return a measure under many resamplings of the persons, shape (resample, ...).

    Parameters
    ----------
    measure : callable
        Takes how often each person counts, shape (resample, person), to the measure, shape (resample, ...).

    Notes
    -----
    Persons are drawn with replacement, the same draw for everything in the measure (Efron & Tibshirani 1993,
    chapter 13).
    """
    blocks = []
    for start in range(0, resamples, BLOCK):
        size = min(BLOCK, resamples - start)
        blocks.append(measure(rng.multinomial(persons, np.full(persons, 1 / persons), size=size).astype(float)))
    return np.concatenate(blocks)


def interval(drawn: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return the lower and upper percentile of resampled measures, each of shape (...).

    Parameters
    ----------
    drawn : ndarray, shape (resample, ...)
    confidence : float
        Coverage of the interval.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail), axis=0)
    return low, high

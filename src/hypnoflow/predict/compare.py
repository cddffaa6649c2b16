"""Error of each condition, and its difference to 30 s, with intervals from resampling persons in pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.evaluate.paired import paired_bootstrap


@dataclass(frozen=True, slots=True)
class Predictions:
    """Out-of-fold predictions of all conditions for the same persons.

    y : ndarray, shape (person,)
    p : ndarray, shape (condition, person)
    """

    names: tuple[str, ...]
    y: NDArray[np.float64]
    p: NDArray[np.float64]
    is_class: bool


def gather(table: pd.DataFrame, is_class: bool) -> Predictions:
    """Average each person's predictions over the repeats of the cross-validation."""
    wide = table.groupby(["condition", "person"])["prediction"].mean().unstack("person")
    y = table.groupby("person")["y"].first().loc[wide.columns]
    order = list(dict.fromkeys(table["condition"]))
    return Predictions(tuple(order), y.to_numpy(float), wide.loc[order].to_numpy(float), is_class)


def errors(found: Predictions, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the error of each condition under each weighting of the persons.

    Parameters
    ----------
    weights : ndarray, shape (resample, person)
        How often each person counts.

    Returns
    -------
    ndarray, shape (resample, condition)
        RMSE of a number; 1 - macro-F1 of a class (a class that occurs in neither truth nor prediction of a resample
        is left out of its mean).
    """
    if not found.is_class:
        square = np.square(found.p - found.y)  # (condition, person)
        return np.sqrt(weights @ square.T / weights.sum(1, keepdims=True))
    f1 = []
    for c in (0, 1):
        predicted, true = (found.p >= 0.5) == c, found.y == c
        hits = weights @ (predicted & true).T.astype(float)
        occurring = weights @ predicted.T.astype(float) + (weights @ true.astype(float))[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            f1.append(np.where(occurring > 0, 2 * hits / occurring, np.nan))
    return 1 - np.nanmean(f1, axis=0)


def compare(
    found: Predictions, *, resamples: int, confidence: float, rng: np.random.Generator, reference: str = "1"
) -> pd.DataFrame:
    """Return error and difference to `reference` for each condition, with percentile bootstrap intervals.

    Persons are drawn as in `paired_bootstrap`. Predictions are held fixed: the intervals say how sure the comparison
    is for models like these, not how another training set would have changed them.

    Returns
    -------
    DataFrame
        One row per condition: error, error_low, error_high, difference, difference_low, difference_high. A negative
        difference is an improvement on 30 s.
    """
    table = paired_bootstrap(
        lambda weights: errors(found, weights),
        len(found.y),
        reference=found.names.index(reference),
        resamples=resamples,
        confidence=confidence,
        rng=rng,
    )
    table = table.rename(columns={"value": "error", "low": "error_low", "high": "error_high"})
    table.insert(0, "condition", found.names)
    return table

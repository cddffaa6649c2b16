"""Agreement from confusion matrices of any classes, with the treatment of absent ones made explicit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.types import STAGES, UNSCORED

Counts = NDArray[np.int64]
ABSENT = {"skip": np.nan, "one": 1.0, "zero": 0.0}


def count_columns(classes: Sequence[str] = STAGES) -> list[str]:
    """Return what the columns of a confusion matrix are called in tables: truth, then prediction."""
    return [f"n_{a}_{b}" for a in classes for b in classes]


COUNTS = count_columns()


def counts_of(rows: pd.DataFrame, classes: Sequence[str] = STAGES) -> Counts:
    """Return the confusion matrices of a table's rows, shape (row, truth, predicted)."""
    return rows[count_columns(classes)].to_numpy(np.int64).reshape(-1, len(classes), len(classes))


def confusion(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], n_classes: int = len(STAGES)) -> Counts:
    """Return counts, shape (truth, predicted), over steps that both have scored."""
    n = n_classes
    scored = (truth != UNSCORED) & (predicted != UNSCORED)
    pairs = truth[scored].astype(np.int64) * n + predicted[scored]
    return np.bincount(pairs, minlength=n * n).reshape(n, n)


def f1_per_class(counts: Counts, absent: str = "skip") -> NDArray[np.float64]:
    """Return F1 per class, shape (..., class), from counts of shape (..., truth, predicted).

    A class that occurs in neither truth nor prediction has no F1: it is NaN ("skip"), 1 ("one", as in AnySleep) or
    0 ("zero", as in scikit-learn).
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    occurring = counts.sum(-1) + counts.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(occurring > 0, 2 * hits / occurring, ABSENT[absent])


def n_occurring(counts: Counts) -> NDArray[np.int64]:
    """Return how many classes occur in truth or prediction, shape (...): those whose F1 needs no convention."""
    return (counts.sum(-1) + counts.sum(-2) > 0).sum(-1)


def macro_f1(counts: Counts, absent: str = "skip") -> NDArray[np.float64]:
    """Return the mean F1 over classes, shape (...)."""
    f1 = f1_per_class(counts, absent)
    present = ~np.isnan(f1)
    with np.errstate(invalid="ignore"):
        return np.where(present, f1, 0).sum(-1) / present.sum(-1)


def accuracy(counts: Counts) -> NDArray[np.float64]:
    """Return the share of agreeing steps, shape (...)."""
    with np.errstate(invalid="ignore"):
        return np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))


def cohen_kappa(counts: Counts) -> NDArray[np.float64]:
    """Return Cohen's kappa, shape (...) (Cohen 1960, doi 10.1177/001316446002000104); NaN where it is undefined."""
    total = counts.sum((-2, -1)).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(counts, axis1=-2, axis2=-1) / total
        expected = (counts.sum(-1) * counts.sum(-2)).sum(-1) / total**2
        return (observed - expected) / (1 - expected)

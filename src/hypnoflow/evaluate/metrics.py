"""Agreement from confusion matrices, with the treatment of absent stages made explicit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypnoflow.types import STAGES, UNSCORED

Counts = NDArray[np.int64]
ABSENT = {"skip": np.nan, "one": 1.0, "zero": 0.0}


def confusion(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> Counts:
    """Return counts, shape (truth stage, predicted stage), over steps that both have scored."""
    n = len(STAGES)
    scored = (truth != UNSCORED) & (predicted != UNSCORED)
    pairs = truth[scored].astype(np.int64) * n + predicted[scored]
    return np.bincount(pairs, minlength=n * n).reshape(n, n)


def f1_per_stage(counts: Counts, absent: str = "skip") -> NDArray[np.float64]:
    """Return F1 per stage, shape (..., stage), from counts of shape (..., truth, predicted).

    A stage that occurs in neither truth nor prediction has no F1: it is NaN ("skip"), 1 ("one", as in AnySleep) or
    0 ("zero", as in scikit-learn).
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    occurring = counts.sum(-1) + counts.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(occurring > 0, 2 * hits / occurring, ABSENT[absent])


def macro_f1(counts: Counts, absent: str = "skip") -> NDArray[np.float64]:
    """Return the mean F1 over stages, shape (...)."""
    f1 = f1_per_stage(counts, absent)
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

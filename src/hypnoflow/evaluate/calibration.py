"""Whether probabilities mean what they say, and what is gained by leaving out what is uncertain.

All is done on 30-s epochs. Confidence is the largest probability of an epoch, and an epoch is correct where the stage
with that probability is the label.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

N_BINS = 15  # Guo et al. 2017


def bin_sums(confidence: Floats, correct: Bools) -> NDArray[np.float64]:
    """Return number, summed confidence and number of correct epochs in each bin, shape (bin, 3).

    Bins are `N_BINS` equal parts of 0 to 1, open below and closed above. Sums of several recordings may be added.

    Parameters
    ----------
    confidence, correct : ndarray, shape (epoch,)
    """
    at = np.clip(np.ceil(confidence.astype(float) * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    columns = (np.ones(len(at)), confidence, correct)
    return np.stack([np.bincount(at, weights=c.astype(float), minlength=N_BINS) for c in columns], axis=1)


def expected_calibration_error(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean gap between confidence and accuracy, weighted by epochs, shape (...); NaN without epochs.

    Parameters
    ----------
    sums : ndarray, shape (..., bin, 3)
        As `bin_sums` gives them.

    Notes
    -----
    Naeini et al. 2015, doi 10.1609/aaai.v29i1.9602; Guo et al. 2017, arXiv 1706.04599, equation 3. Top-label: it
    says nothing about the other stages' probabilities.
    """
    gaps = np.abs(sums[..., 2] - sums[..., 1]).sum(-1)
    with np.errstate(invalid="ignore"):
        return gaps / sums[..., 0].sum(-1)


def reliability_table(sums: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return one row per bin that holds epochs: its limits, epochs, mean confidence and accuracy."""
    rows = []
    for k, (n, confidence, correct) in enumerate(sums.tolist()):
        if n:
            limits = {"low": k / N_BINS, "high": (k + 1) / N_BINS}
            rows.append({**limits, "n_epochs": int(n), "confidence": confidence / n, "accuracy": correct / n})
    return rows


def risk_coverage(confidence: Floats, correct: Bools) -> NDArray[np.float64]:
    """Return the risk (1 - accuracy) of the surest k epochs, for k from 1 to all, shape (epoch,).

    Epochs of equal confidence come in no order: each counts with the mean error of all of them, which is the
    expectation over their orders.

    Parameters
    ----------
    confidence, correct : ndarray, shape (epoch,)

    Notes
    -----
    El-Yaniv & Wiener 2010, JMLR 11, 1605-1641; Geifman & El-Yaniv 2017, arXiv 1705.08500.
    """
    _, level, n_level = np.unique(-confidence, return_inverse=True, return_counts=True)
    error = np.bincount(level, weights=~correct, minlength=len(n_level)) / np.maximum(n_level, 1)
    wrong = np.cumsum(np.repeat(error, n_level))
    return wrong / np.arange(1, len(wrong) + 1)


def area_under_risk_coverage(risk: NDArray[np.float64]) -> float:
    """Return AURC, the mean of the risk over all coverages: lower is better (Geifman et al. 2019, arXiv 1805.08206).

    Parameters
    ----------
    risk : ndarray, shape (epoch,)
        As `risk_coverage` gives it.
    """
    return float(risk.mean()) if len(risk) else np.nan


def threshold_for(confidence: Floats, coverage: float) -> float:
    """Return the largest threshold at which at least a share `coverage` of the epochs is as confident or more.

    Raises
    ------
    ValueError
        If there are no epochs.
    """
    if not len(confidence):
        raise ValueError("no epoch to choose a threshold from")
    keep = max(int(np.ceil(coverage * len(confidence) - 1e-9)), 1)
    return float(np.sort(confidence)[-keep])

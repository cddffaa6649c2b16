"""Probabilities and intervals that mean what they say, from predictions of training persons by models without them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from hypnoflow.stats.logistic import logistic

Floats = NDArray[np.float64]
LEAST = 0.01  # a probability below, or above 1 - LEAST, enters the calibration as this


def calibrated(inner: Floats, y: Floats, new: Floats) -> Floats:
    """Return probabilities of class 1 of new persons, calibrated on the training persons.

    Platt's sigmoid (1999, *Advances in Large Margin Classifiers*) on the log-odds, with his smoothed targets. A slope
    below zero, which says that the learner found nothing, is set to zero: everybody then has the training share.

    Parameters
    ----------
    inner, y : ndarray, shape (training person,)
        Probability by a model that never saw the person (NaN: none did), and the class.
    new : ndarray, shape (new person,)
        Probability by the model of all training persons.
    """
    known = ~np.isnan(inner)
    inner, y = inner[known], y[known]
    ones, zeros = float(y.sum()), float(len(y) - y.sum())
    goal = np.where(y == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    share, slope = logistic(_log_odds(inner)[:, None], goal, np.zeros(1))[:, 0]
    if slope <= 0:
        return np.full(len(new), goal.mean())
    return expit(share + slope * _log_odds(new))


def _log_odds(probability: Floats) -> Floats:
    return logit(np.clip(probability, LEAST, 1 - LEAST))


def half_width(inner: Floats, y: Floats, level: float) -> float:
    """Return half the width of the prediction interval of a number.

    It is the ceil((n + 1) level)-th smallest error of the n training persons, each predicted by a model that never saw
    them, as in split conformal prediction. Around the model of all training persons this has no guarantee (that of
    Barber et al. 2021, doi 10.1214/20-AOS1965, is for intervals around the inner models); the summary tells the
    coverage that was reached. NaN where n is too small for `level`.
    """
    error = np.sort(np.abs(y - inner)[~np.isnan(inner)])
    rank = int(np.ceil((len(error) + 1) * level))
    return float(error[rank - 1]) if rank <= len(error) else np.nan


def reliability(rows: pd.DataFrame, *, is_class: bool) -> dict[str, float | None]:
    """Return whether out-of-fold intervals or probabilities mean what they say.

    Parameters
    ----------
    rows : DataFrame
        Columns y, prediction, low and high, of one condition.

    Returns
    -------
    dict
        Of a number: coverage, the share of persons inside their interval. Of a class: slope and intercept of the class
        on the predicted log-odds, 1 and 0 at best (Cox 1958). None where there is nothing to tell it from.
    """
    y = rows["y"].to_numpy(float)
    if not is_class:
        known = rows[["low", "high"]].notna().all(axis=1).to_numpy()
        inside = (rows["low"] <= rows["y"]) & (rows["y"] <= rows["high"])
        return {"coverage": float(inside[known].mean()) if known.any() else None}
    odds = _log_odds(rows["prediction"].to_numpy(float))
    if len(np.unique(y)) < 2 or np.ptp(odds) == 0:
        return {"slope": None, "intercept": None}
    intercept, slope = logistic(odds[:, None], y, np.zeros(1))[:, 0]
    return {"slope": float(slope), "intercept": float(intercept)}

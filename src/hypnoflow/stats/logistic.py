"""Logistic regression along a path of L2 penalties, by Newton's method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
STEPS, LEAST_GAIN = 50, 1e-9


def logistic(x: Floats, y: Floats, penalties: Floats) -> Floats:
    """Fit intercept and coefficients under each penalty; each fit starts from the one before.

    Minimises mean(-log likelihood) + penalty / 2 * sum(coefficient^2); the intercept is free.

    Parameters
    ----------
    x : ndarray, shape (row, feature)
    y : ndarray, shape (row,)
        Class 0 or 1, or a probability; not all 0 and not all 1.
    penalties : ndarray, shape (setting,)
        Best in falling order.

    Returns
    -------
    ndarray, shape (1 + feature, setting)
    """
    design = np.column_stack([np.ones(len(x)), x])
    beta = np.zeros(design.shape[1])
    fits = []
    for penalty in penalties:
        ridge = np.full(len(beta), float(penalty))
        ridge[0] = 0
        beta = _newton(design, y, ridge, beta)
        fits.append(beta)
    return np.stack(fits, axis=1)


def _newton(design: Floats, y: Floats, ridge: Floats, beta: Floats) -> Floats:
    """Minimise one penalised loss from `beta` on; a step that does not lower it is halved."""
    n = len(y)
    now = _loss(design, y, ridge, beta)
    for _ in range(STEPS):
        p = expit(design @ beta)
        slope = design.T @ (p - y) / n + ridge * beta
        curve = (design.T * (p * (1 - p) / n)) @ design
        curve.flat[:: len(ridge) + 1] += ridge + 1e-10  # the diagonal
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while (then := _loss(design, y, ridge, beta - size * step)) > now and size > 1e-4:
            size /= 2
        if then > now:
            return beta
        beta, gain, now = beta - size * step, now - then, then
        if gain < LEAST_GAIN:
            return beta
    return beta


def _loss(design: Floats, y: Floats, ridge: Floats, beta: Floats) -> float:
    eta = design @ beta
    return float((np.logaddexp(0, eta) - y * eta).sum() / len(y) + (ridge @ np.square(beta)) / 2)

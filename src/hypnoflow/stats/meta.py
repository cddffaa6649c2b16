"""Random-effects meta-analysis over cohorts in closed form, for one estimate or for thousands at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Combined:
    """Combined estimates; every array has the shape of the estimates without their first axis.

    effect, se : ndarray
        Mean over cohorts and its standard error.
    tau2 : ndarray
        Variance between cohorts.
    q, i2 : ndarray
        Cochran's Q, and the share (0 to 1) of the spread that is more than chance; i2 is NaN for one cohort.
    k : ndarray of int
        Cohorts with an estimate.
    """

    effect: Floats
    se: Floats
    tau2: Floats
    q: Floats
    i2: Floats
    k: NDArray[np.int64]

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """Return the ends of the normal interval."""
        z = norm.ppf((1 + confidence) / 2)
        return self.effect - z * self.se, self.effect + z * self.se

    @property
    def p(self) -> Floats:
        """Two-sided p of no effect, by the normal distribution."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return 2 * norm.sf(np.abs(self.effect / self.se))


def combine(estimates: ArrayLike, variances: ArrayLike) -> Combined:
    """Combine estimates of several cohorts (DerSimonian & Laird 1986, doi 10.1016/0197-2456(86)90046-2).

    Parameters
    ----------
    estimates, variances : array-like, shape (cohort, ...)
        NaN where a cohort has none, in either: it is left out. Variances must be positive.

    Returns
    -------
    Combined
        NaN everywhere where no cohort has an estimate; a single cohort's own estimate where there is one.
    """
    x, v = np.asarray(estimates, float), np.asarray(variances, float)
    known = np.isfinite(x) & np.isfinite(v) & (v > 0)
    x, w = np.where(known, x, 0.0), np.where(known, 1 / np.where(known, v, 1.0), 0.0)
    k = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = w.sum(0)
        fixed = (w * x).sum(0) / total
        q = (w * np.square(x - fixed)).sum(0)
        spread = total - np.square(w).sum(0) / total
        tau2 = np.where(k > 1, np.maximum(0.0, (q - (k - 1)) / spread), 0.0)
        weights = np.where(known, 1 / (np.where(known, v, 1.0) + tau2), 0.0)
        effect = (weights * x).sum(0) / weights.sum(0)
        se = 1 / np.sqrt(weights.sum(0))
        i2 = np.where(k > 1, np.where(q > 0, np.maximum(0.0, (q - (k - 1)) / q), 0.0), np.nan)
    none = k == 0
    effect, se, tau2, q, i2 = (np.where(none, np.nan, part) for part in (effect, se, tau2, q, i2))
    return Combined(effect, se, tau2, q, i2, k.astype(np.int64))

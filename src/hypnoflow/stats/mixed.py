"""Means and slopes with cohort as a random effect, and what stands in for them where the model does not converge."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from statsmodels.regression.mixed_linear_model import MixedLM

from hypnoflow.stats.meta import combine

Floats = NDArray[np.float64]
MIN_COHORTS = 3  # with fewer, a variance between cohorts can hardly be told
# Without gradients, which fail at a variance of zero: of 30 made data sets statsmodels' own order (bfgs, lbfgs, cg)
# converged in 24, Powell's method in all.
OPTIMISERS = ["powell", "nm"]
MIXED, META, NONE = "mixed model", "meta-analysis of cohorts", "none"


def mixed_mean(y: Floats, cohort: NDArray[np.object_], confidence: float, *, widen: float = 1.0) -> dict[str, Any]:
    """Return the mean of `y` with a random intercept by cohort; one value per group.

    Parameters
    ----------
    widen : float
        Factor on the standard error, for values that are no independent draws (`OutOfFold.widen`).

    Returns
    -------
    dict
        As `mixed_slope`; the estimate is the mean.
    """
    found = _fitted(y, np.ones((len(y), 1)), cohort, confidence)
    return found if found["se"] is None else found | _estimate(found["estimate"], widen * found["se"], confidence)


def mixed_slope(y: Floats, x: Floats, cohort: NDArray[np.object_], confidence: float) -> dict[str, Any]:
    """Return the slope of `y` on `x` within cohorts, with a random intercept by cohort; one value per group.

    `x` is centred in each cohort, so that no difference between cohorts enters the slope (Mundlak 1978,
    doi 10.2307/1913646): a random intercept alone would let part of it in. Both are divided by their SD within cohorts
    (n - cohorts in the denominator): without heterogeneity the slope is the correlation within cohorts.

    Returns
    -------
    dict
        estimate, low, high, se, p, cohort_sd (SD of the random effect), groups, cohorts; method: "mixed model"
        (restricted maximum likelihood, Wald interval) where it converged, otherwise "meta-analysis of cohorts"
        (DerSimonian-Laird over the estimates of cohorts), "none" where there is nothing to estimate; converged,
        boundary (the variance between cohorts came out as zero, below 1e-4 of the residual's) and why: what
        statsmodels warned of, or the reason against the model. Wald intervals of few cohorts are narrow.
    """
    x_in, y_in = _centred(x, cohort), _centred(y, cohort)
    freedom = max(1, len(y) - len(np.unique(cohort)))
    sd_x, sd_y = (np.sqrt(np.square(part).sum() / freedom) for part in (x_in, y_in))
    if not len(y) or sd_x == 0 or sd_y == 0:
        return _none(y, cohort, "the target or the prediction is constant within cohorts")
    design = np.column_stack([x_in / sd_x, np.ones(len(y))])
    return _fitted(y / sd_y, design, cohort, confidence)


def _fitted(y: Floats, design: Floats, cohort: NDArray[np.object_], confidence: float) -> dict[str, Any]:
    """Fit the mixed model; the first column of the design is what is estimated."""
    if len(y) < 2:
        return _none(y, cohort, f"{len(y)} persons")
    n_cohorts = len(np.unique(cohort))
    if n_cohorts < MIN_COHORTS:
        why = f"{n_cohorts} {'cohort' if n_cohorts == 1 else 'cohorts'}, {MIN_COHORTS} needed"
        return _fall_back(y, design, cohort, confidence, why)
    unit = float(np.std(y)) or 1.0  # optimisers expect numbers near one
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = MixedLM(y / unit, design, groups=cohort.astype(str)).fit(reml=True, method=OPTIMISERS)
        except (np.linalg.LinAlgError, ValueError) as error:
            return _fall_back(y, design, cohort, confidence, f"the fit failed: {error}")
    estimate, se = float(result.fe_params[0]) * unit, float(result.bse_fe[0]) * unit
    warned = "; ".join(sorted({str(warning.message) for warning in said}))
    if not result.converged or not np.isfinite(se) or se <= 0:
        return _fall_back(y, design, cohort, confidence, warned or "no standard error")
    sd = float(np.sqrt(max(0.0, float(np.asarray(result.cov_re)[0, 0])))) * unit
    total = np.sqrt(float(result.scale)) * unit
    about = {"cohort_sd": sd, "converged": True, "boundary": bool(sd < 1e-2 * total), "why": warned, "method": MIXED}
    return _estimate(estimate, se, confidence) | about | _sizes(y, cohort)


def _fall_back(y: Floats, design: Floats, cohort: NDArray[np.object_], confidence: float, why: str) -> dict[str, Any]:
    """Combine the cohorts' own estimates; those with too few persons for a standard error are left out."""
    estimates, variances = [], []
    for name in np.unique(cohort):
        a, b = design[cohort == name], y[cohort == name]
        freedom = len(b) - a.shape[1]
        if freedom < 1 or np.linalg.matrix_rank(a) < a.shape[1]:
            continue
        inverse = np.linalg.inv(a.T @ a)
        beta = inverse @ a.T @ b
        estimates.append(beta[0])
        variances.append(inverse[0, 0] * np.square(b - a @ beta).sum() / freedom)
    found = combine(np.array(estimates), np.array(variances)) if estimates else None
    if found is None or not found.k:
        return _none(y, cohort, f"{why}; no cohort has an estimate of its own")
    about = {"cohort_sd": float(np.sqrt(found.tau2)), "converged": False, "boundary": False, "why": why}
    return _estimate(float(found.effect), float(found.se), confidence) | about | {"method": META} | _sizes(y, cohort)


def _estimate(estimate: float, se: float, confidence: float) -> dict[str, Any]:
    z = float(norm.ppf((1 + confidence) / 2))
    p = float(2 * norm.sf(abs(estimate / se)))
    return {"estimate": estimate, "low": estimate - z * se, "high": estimate + z * se, "se": se, "p": p}


def _none(y: Floats, cohort: NDArray[np.object_], why: str) -> dict[str, Any]:
    about = {"converged": False, "boundary": False, "why": why, "method": NONE}
    return dict.fromkeys(("estimate", "low", "high", "se", "p", "cohort_sd")) | about | _sizes(y, cohort)


def _sizes(y: Floats, cohort: NDArray[np.object_]) -> dict[str, int]:
    return {"groups": len(y), "cohorts": len(np.unique(cohort))}


def _centred(values: Floats, cohort: NDArray[np.object_]) -> Floats:
    """Return values minus their cohort's mean."""
    out = values.astype(float).copy()
    for name in np.unique(cohort):
        out[cohort == name] -= out[cohort == name].mean()
    return out

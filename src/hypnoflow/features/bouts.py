"""How long stages last: lengths of bouts, and survival models fitted to them by maximum likelihood.

A bout is a run of one stage. One that touches an end of the sleep period or an unscored stretch is right-censored: it
lasted at least as long. Lengths are whole steps and are taken as exact, so the fits of one night differ between
resolutions, which is what they are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from hypnoflow.features._dictionary import Column, feature
from hypnoflow.night.hypnogram import NAN, Floats, Hypnogram, ratio
from hypnoflow.night.stage_runs import Ints, Runs
from hypnoflow.types import STAGES

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

Bools = NDArray[np.bool_]
FITTED = "; NaN with fewer completed bouts than `bout_fit_min`"
MEASURES = {
    "bouts_per_h": ("1/h", "bouts of {} per scored hour of the sleep period; NaN without sleep"),
    "bout_median_s": ("s", "median length of the completed bouts of {}; NaN without any"),
    "bout_longest_s": ("s", "longest bout of {}, completed or not; NaN without any"),
    "bout_mean_s": ("s", "mean length of a bout of {} by an exponential survival model" + FITTED),
    "bout_weibull_shape": (
        "1",
        "shape of a Weibull model of the bouts of {}; under 1 those that have lasted, last" + FITTED,
    ),
    "bout_weibull_scale_s": ("s", "scale of the same model of {}, by which 63 % of bouts are over" + FITTED),
    "bout_power_exponent": ("1", "exponent of a power law of the lengths of bouts of {} from half a step on" + FITTED),
}


def censored(runs: Runs) -> Bools:
    """Return which runs may have lasted longer than is seen, shape (run,)."""
    known = np.concatenate([[False], runs.scored, [False]])
    return ~(known[:-2] & known[2:])


@dataclass(frozen=True, slots=True)
class Tally:
    """Bouts by length; a night has thousands of bouts, but few lengths.

    length : ndarray, shape (length,)
        Different, above 0, in order; in any unit.
    n, completed : ndarray of int, shape (length,)
        Bouts of that length, and how many of them are not censored.
    """

    length: Floats
    n: Ints
    completed: Ints


def tally(steps: Ints, cut: Bools, step_s: float = 1.0) -> Tally:
    """Return bouts of whole steps, shape (bout,), by length in seconds."""
    n = np.bincount(steps)
    found = np.flatnonzero(n)
    return Tally(found.astype(float) * step_s, n[found], np.bincount(steps[~cut], minlength=len(n))[found])


def fit_exponential(bouts: Tally) -> float:
    """Return the mean of an exponential survival model: all time over the number of completed bouts."""
    return ratio(bouts.n @ bouts.length, bouts.completed.sum())


def fit_weibull(bouts: Tally) -> tuple[float, float]:
    """Return shape k and scale of a Weibull survival model by maximum likelihood with right-censoring.

    k solves sum t^k ln t / sum t^k - 1/k = mean ln t, the sums over all bouts and the mean over completed ones; then
    scale^k = sum t^k / number completed (Kalbfleisch and Prentice 2002, chapter 3).

    Returns
    -------
    tuple of float
        NaN where the likelihood has no maximum: without a completed bout shorter than the longest of all.
    """
    if not bouts.completed[:-1].any():
        return NAN, NAN
    longest = bouts.length[-1]
    t = bouts.length / longest  # no power of it can overflow
    log_t = np.log(t)
    n_completed = bouts.completed.sum()
    target = bouts.completed @ log_t / n_completed

    def score(k: float) -> float:
        weight = bouts.n * t**k
        return float(weight @ log_t / weight.sum() - 1 / k - target)

    high = 2.0
    while score(high) <= 0:  # it rises towards -target, which is positive
        high *= 2
    k = brentq(score, 1e-3, high, xtol=1e-10)
    scale = (bouts.n @ t**k / n_completed) ** (1 / k) * longest
    return float(k), float(scale)


def fit_power_law(bouts: Tally, shortest: float) -> float:
    """Return the exponent of a density that falls as length^-exponent from `shortest` on, with right-censoring.

    exponent = 1 + completed / sum ln(t / shortest) over all bouts: Clauset, Shalizi and Newman 2009, SIAM Rev 51,
    doi 10.1137/070710111, equation 3.7 with half a step for the discrete lengths, and the survival of censored ones.
    """
    return 1 + ratio(bouts.completed.sum(), bouts.n @ np.log(bouts.length / shortest))


@feature(
    "bouts",
    [
        Column(f"{name}_{stage}", unit, text.format(stage))
        for stage in STAGES
        for name, (unit, text) in MEASURES.items()
    ],
    "survival of bouts: Norman et al. 2006, Sleep 29; Lo et al. 2004, PNAS 101, doi 10.1073/pnas.0408242101",
)
def bouts(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return the lengths of each stage's bouts within the sleep period, and the models fitted to them."""
    runs = hypnogram.sleep_runs
    steps, cut = runs.length, censored(runs)
    found: dict[str, float] = {}
    for code, stage in enumerate(STAGES):
        mine = runs.stage == code
        rate = ratio(np.count_nonzero(mine), hypnogram.scored_h)
        values = rate, *_lengths(steps[mine], cut[mine], hypnogram.step_s, options.bout_fit_min)
        found |= {f"{name}_{stage}": value for name, value in zip(MEASURES, values, strict=True)}
    return found


def _lengths(steps: Ints, cut: Bools, step_s: float, fit_min: int) -> tuple[float, ...]:
    """Return the measures of one stage's bouts, all but their rate."""
    completed = steps[~cut]
    median = float(np.median(completed) * step_s) if len(completed) else NAN
    longest = float(steps.max() * step_s) if len(steps) else NAN
    if len(completed) < fit_min:
        return median, longest, *[NAN] * 4
    bouts = tally(steps, cut, step_s)
    return median, longest, fit_exponential(bouts), *fit_weibull(bouts), fit_power_law(bouts, step_s / 2)

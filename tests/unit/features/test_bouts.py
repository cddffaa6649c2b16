"""Survival models of bouts: closed forms, the likelihood itself, and nights drawn from known models."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import weibull_min

from hypnoflow.config.features import Features
from hypnoflow.features import Hypnogram, features
from hypnoflow.features.bouts import Tally, censored, fit_exponential, fit_power_law, fit_weibull, tally
from hypnoflow.night.stage_runs import runs_of

W, N1, N2, N3, R = range(5)


def given(length, cut=None) -> Tally:
    """Return a tally of lengths that need not be whole steps."""
    length = np.asarray(length, float)
    cut = np.zeros(len(length), bool) if cut is None else np.asarray(cut)
    found, where, n = np.unique(length, return_inverse=True, return_counts=True)
    return Tally(found, n, np.bincount(where[~cut], minlength=len(found)))


def log_likelihood(parameters, length, cut) -> float:
    """Right-censored Weibull log-likelihood from scipy's density and survival."""
    shape, scale = np.exp(parameters)
    return (
        weibull_min.logpdf(length[~cut], shape, scale=scale).sum()
        + weibull_min.logsf(length[cut], shape, scale=scale).sum()
    )


def test_tally_counts_bouts_by_length():
    found = tally(np.array([3, 1, 3, 3, 7]), np.array([False, False, True, False, True]), 2.0)
    assert found.length.tolist() == [2, 6, 14]
    assert found.n.tolist() == [1, 3, 1]
    assert found.completed.tolist() == [1, 2, 0]


def test_exponential_mean_is_all_time_over_completed_bouts():
    assert fit_exponential(given([1, 2, 3], [False, False, True])) == 3
    assert np.isnan(fit_exponential(given([1, 2], [True, True])))


def test_power_law_of_two_lengths_by_hand():
    # ln(2) + ln(8) = 4 ln 2 over two completed bouts, from 1 on; a censored one of 2 adds ln 2.
    assert fit_power_law(given([2, 8]), 1.0) == pytest.approx(1 + 2 / (4 * np.log(2)))
    assert fit_power_law(given([2, 8, 2], [False, False, True]), 1.0) == pytest.approx(1 + 2 / (5 * np.log(2)))


def test_power_law_is_found_again():
    rng = np.random.default_rng(2)
    length = 0.5 * (1 - rng.random(20000)) ** (-1 / 1.3)  # density falls with exponent 2.3 from 0.5 on
    assert fit_power_law(given(length), 0.5) == pytest.approx(2.3, abs=0.03)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [0.4, 1.0, 3.0])
def test_weibull_maximises_the_censored_likelihood(seed, shape):
    rng = np.random.default_rng(seed)
    length, until = 40 * rng.weibull(shape, 60), rng.exponential(80, 60)
    cut = until < length
    length = np.minimum(length, until)
    found = fit_weibull(given(length, cut))
    best = minimize(lambda x: -log_likelihood(x, length, cut), [0.0, np.log(40)], method="Nelder-Mead",
                    options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000})  # fmt: skip
    np.testing.assert_allclose(found, np.exp(best.x), rtol=1e-4)


def test_weibull_without_censoring_is_scipys():
    length = 12 * np.random.default_rng(7).weibull(0.7, 300)
    shape, _, scale = weibull_min.fit(length, floc=0)
    np.testing.assert_allclose(fit_weibull(given(length)), (shape, scale), rtol=1e-3)


def test_weibull_does_not_depend_on_the_unit():
    length = np.random.default_rng(8).weibull(0.5, 50)
    (a, b), (c, d) = fit_weibull(given(length)), fit_weibull(given(1e6 * length))
    assert (c, d) == pytest.approx((a, 1e6 * b), rel=1e-6)


@pytest.mark.parametrize(("length", "cut"), [([5, 5, 5], None), ([5, 9], [True, True]), ([3, 7], [True, False])])
def test_weibull_without_a_maximum_is_nan(length, cut):
    """Equal lengths, none completed, or the only completed one the longest: the likelihood grows without end."""
    assert np.isnan(fit_weibull(given(length, cut))).all()


def test_bouts_at_the_ends_and_beside_the_unscored_are_censored():
    runs = runs_of(np.array([W, W, N1, 9, N2, N3, N2, 9, 9, R, W, N2], np.uint8))
    assert censored(runs)[runs.scored].tolist() == [True, True, True, False, True, True, False, True]


def test_measures_of_a_night_by_hand():
    lengths = [4, 1, 3, 2, 5, 1, 2, 9]  # N2 W N2 W N2 W N2 W; the first and the last touch the ends
    stage = np.repeat(np.array([N2, W] * 4, np.uint8), lengths)
    found = features.get("bouts").compute(Hypnogram(stage, 1, slice(0, 27)), Features(bout_fit_min=2))
    assert found["bouts_per_h_N2"] == pytest.approx(4 / (27 / 120))
    assert found["bout_median_s_N2"] == 90  # of 3, 5 and 2 epochs
    assert found["bout_longest_s_W"] == 270
    assert found["bout_mean_s_N2"] == pytest.approx(30 * 14 / 3)
    assert found["bout_power_exponent_W"] == pytest.approx(1 + 3 / np.log(2 * 4 * 2 * 18))
    assert found["bouts_per_h_R"] == 0
    assert all(np.isnan(value) for name, value in found.items() if name.endswith("_R") and name != "bouts_per_h_R")


def test_fits_need_enough_completed_bouts():
    stage = np.repeat(np.array([N2, W] * 4, np.uint8), [4, 1, 3, 2, 5, 1, 2, 9])
    hypnogram = Hypnogram(stage, 1, slice(0, 27))
    enough = features.get("bouts").compute(hypnogram, Features(bout_fit_min=3))
    few = features.get("bouts").compute(hypnogram, Features(bout_fit_min=4))
    fits = ("bout_mean_s_N2", "bout_weibull_shape_N2", "bout_weibull_scale_s_N2", "bout_power_exponent_N2")
    assert all(np.isfinite(enough[name]) and np.isnan(few[name]) for name in fits)
    assert few["bout_median_s_N2"] == enough["bout_median_s_N2"]


def test_a_night_of_weibull_bouts_gives_their_shape():
    rng = np.random.default_rng(3)
    lengths = np.maximum(1, np.round(128 * 20 * rng.weibull(0.6, 400))).astype(int)
    stage = np.repeat(np.resize(np.array([N2, N3], np.uint8), 400), lengths)
    stage = stage[: len(stage) // 3840 * 3840]
    found = features.get("bouts").compute(Hypnogram(stage, 3840, slice(0, len(stage) // 3840)), Features())
    assert found["bout_weibull_shape_N2"] == pytest.approx(0.6, abs=0.08)
    assert found["bout_weibull_scale_s_N2"] == pytest.approx(20, rel=0.25)

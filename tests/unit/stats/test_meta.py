"""Random-effects meta-analysis against a published example and statsmodels; mixed models against known truths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from hypnoflow.stats.meta import combine
from hypnoflow.stats.mixed import META, MIXED, NONE, mixed_mean, mixed_slope

# Borenstein, Hedges, Higgins & Rothstein 2009, Introduction to Meta-Analysis, dataset 1 (chapter 14): Hedges' g and
# variance of six studies; random effects 0.3582 with variance 0.0111, Q 12.0033, tau^2 0.0372, I^2 58.34 %. The book
# computes from unrounded variances: 0.011, given to two digits, leaves Q uncertain by 3 %.
G = np.array([0.095, 0.277, 0.367, 0.664, 0.462, 0.185])
V = np.array([0.033, 0.031, 0.050, 0.011, 0.043, 0.023])


def test_worked_example_of_borenstein():
    found = combine(G, V)
    assert found.effect == pytest.approx(0.3582, abs=2e-3)
    assert found.se**2 == pytest.approx(0.0111, abs=2e-4)
    assert found.q == pytest.approx(12.0033, rel=0.03)
    assert found.tau2 == pytest.approx(0.0372, abs=2e-3)
    assert found.i2 == pytest.approx(0.5834, abs=0.01)


def test_everything_is_statsmodels_dersimonian_laird():
    wanted = combine_effects(G, V, method_re="chi2")
    found = combine(G, V)
    assert found.effect == pytest.approx(wanted.mean_effect_re)
    assert found.se == pytest.approx(wanted.sd_eff_w_re)
    assert found.tau2 == pytest.approx(wanted.tau2)
    assert found.q == pytest.approx(wanted.q)
    assert found.i2 == pytest.approx(wanted.i2)
    frame = wanted.summary_frame().loc["random effect"]
    assert found.interval(0.95) == pytest.approx((frame["ci_low"], frame["ci_upp"]))
    assert found.p == pytest.approx(2 * stats.norm.sf(wanted.mean_effect_re / wanted.sd_eff_w_re))


def test_many_at_once_and_cohorts_without_an_estimate_are_as_one_at_a_time():
    rng = np.random.default_rng(1)
    x, v = rng.normal(0, 1, (5, 7)), rng.uniform(0.1, 2, (5, 7))
    x[rng.random((5, 7)) < 0.3] = np.nan
    together = combine(x, v)
    for k in range(7):
        known = np.isfinite(x[:, k])
        alone = combine(x[known, k], v[known, k])
        for name in ("effect", "se", "tau2", "q", "i2", "k"):
            assert getattr(together, name)[k] == pytest.approx(getattr(alone, name), nan_ok=True)


def test_equal_estimates_have_no_heterogeneity_and_one_cohort_has_none_to_speak_of():
    same = combine([0.3, 0.3, 0.3], [0.1, 0.2, 0.3])
    assert (same.effect, same.i2, same.tau2) == (pytest.approx(0.3), 0, 0)
    one = combine([0.3], [0.04])
    assert (one.effect, one.se, one.k) == (pytest.approx(0.3), pytest.approx(0.2), 1)
    assert np.isnan(one.i2)


def test_no_estimate_at_all_is_nan_and_not_zero():
    none = combine([np.nan, 1.0], [0.1, 0.0])
    assert none.k == 0
    assert np.isnan([none.effect, none.se, none.p, none.i2, none.tau2]).all()


def cohorts(effects, n=60, spread=1.0, seed=2):
    rng = np.random.default_rng(seed)
    y = np.concatenate([effect + spread * rng.standard_normal(n) for effect in effects])
    return y, np.repeat([f"c{k}" for k in range(len(effects))], n).astype(object)


def test_mixed_mean_of_balanced_cohorts_is_the_mean_with_the_anova_standard_error():
    """Balanced one-way layout: REML estimate = grand mean, SE^2 = mean square between cohorts / number of values."""
    y, cohort = cohorts(np.random.default_rng(3).normal(1, 1, 8))
    means = y.reshape(8, 60).mean(1)
    found = mixed_mean(y, cohort, 0.95)
    assert (found["method"], found["converged"], found["boundary"]) == (MIXED, True, False)
    assert found["estimate"] == pytest.approx(means.mean(), abs=1e-6)
    assert found["se"] == pytest.approx(means.std(ddof=1) / np.sqrt(8), rel=1e-3)
    assert found["cohort_sd"] == pytest.approx(
        np.sqrt(means.var(ddof=1) - y.reshape(8, 60).var(1, ddof=1).mean() / 60), rel=1e-2
    )
    assert found["low"] == pytest.approx(found["estimate"] - 1.959964 * found["se"])


def test_mixed_model_does_not_depend_on_the_unit():
    y, cohort = cohorts([1, 2, 0, 1.5])
    one, thousand = mixed_mean(y, cohort, 0.95), mixed_mean(1000 * y, cohort, 0.95)
    assert thousand["estimate"] == pytest.approx(1000 * one["estimate"])
    assert thousand["p"] == pytest.approx(one["p"])


def test_cohorts_that_do_not_differ_are_on_the_boundary_and_said_so():
    y = np.tile(np.linspace(-1, 2, 30), 4)
    found = mixed_mean(y, np.repeat(list("abcd"), 30).astype(object), 0.95)
    assert (found["method"], found["boundary"]) == (MIXED, True)
    assert "boundary" in found["why"]
    assert found["estimate"] == pytest.approx(0.5, abs=1e-6)
    assert found["se"] == pytest.approx(y.std(ddof=1) / np.sqrt(120), rel=0.01)


@pytest.mark.parametrize("k", [1, 2])
def test_few_cohorts_fall_back_to_the_meta_analysis_and_say_why(k):
    y, cohort = cohorts([0.5, 1.0][:k])
    found = mixed_mean(y, cohort, 0.95)
    assert (found["method"], found["converged"]) == (META, False)
    assert found["why"] == f"{k} cohort{'s' if k > 1 else ''}, 3 needed"
    means, variances = zip(*[(c.mean(), c.var(ddof=1) / 60) for c in y.reshape(k, 60)], strict=True)
    wanted = combine(means, variances)
    assert (found["estimate"], found["se"]) == (pytest.approx(wanted.effect), pytest.approx(wanted.se))


def test_model_that_does_not_converge_falls_back(monkeypatch):
    class Stuck:
        def __init__(self, *_, **__):
            pass

        def fit(self, **_):
            raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("hypnoflow.stats.mixed.MixedLM", Stuck)
    found = mixed_mean(*cohorts([0, 1, 2]), 0.95)
    assert (found["method"], found["converged"]) == (META, False)
    assert "Singular matrix" in found["why"]


def test_nothing_to_estimate_is_none():
    empty = mixed_mean(np.empty(0), np.empty(0, object), 0.95)
    assert (empty["method"], empty["estimate"], empty["groups"]) == (NONE, None, 0)
    constant = mixed_slope(
        np.arange(9.0), np.repeat([1.0, 2.0, 3.0], 3), np.repeat(list("abc"), 3).astype(object), 0.95
    )
    assert (constant["method"], constant["p"]) == (NONE, None)
    assert "constant within cohorts" in constant["why"]


def test_slope_is_the_correlation_within_cohorts_and_blind_to_what_differs_between_them():
    """Truth within cohorts: correlation 0.6. Between cohorts the sign is the opposite, and by far the stronger."""
    rng = np.random.default_rng(4)
    cohort = np.repeat([f"c{k}" for k in range(6)], 200).astype(object)
    x = rng.standard_normal(1200)
    y = 0.6 * x + 0.8 * rng.standard_normal(1200)
    shift = np.repeat(np.arange(6.0), 200)
    found = mixed_slope(y - 10 * shift, x + 5 * shift, cohort, 0.95)
    assert np.corrcoef(x + 5 * shift, y - 10 * shift)[0, 1] < -0.9
    assert found["estimate"] == pytest.approx(0.6, abs=0.06)
    assert found["low"] < 0.6 < found["high"]


def test_pure_site_effect_has_no_slope_within_cohorts():
    rng = np.random.default_rng(5)
    cohort = np.repeat([f"c{k}" for k in range(5)], 80).astype(object)
    site = np.repeat(np.arange(5.0), 80)
    found = mixed_slope(site + rng.standard_normal(400), site + 0.1 * rng.standard_normal(400), cohort, 0.95)
    assert found["low"] < 0 < found["high"]

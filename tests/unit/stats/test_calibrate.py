"""Probabilities against frequencies, intervals against their nominal coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from hypnoflow.stats.calibrate import calibrated, half_width, reliability
from hypnoflow.stats.logistic import logistic


def test_overconfident_probabilities_are_brought_back():
    """Log-odds that are three times too large: the sigmoid has to find one third."""
    rng = np.random.default_rng(1)
    eta = rng.normal(0.3, 0.6, 20000)
    y = (rng.random(20000) < expit(eta)).astype(float)
    found = calibrated(expit(3 * eta), y, expit(3 * np.array([-0.5, 0.0, 0.8])))
    assert found == pytest.approx(expit(np.array([-0.5, 0.0, 0.8])), abs=0.015)


def test_calibrated_probabilities_agree_with_frequencies_in_every_tenth():
    rng = np.random.default_rng(2)
    eta = rng.normal(0, 1, 40000)
    y = (rng.random(40000) < expit(eta)).astype(float)
    raw = expit(2.5 * eta - 1)
    half = len(y) // 2
    p, true = calibrated(raw[:half], y[:half], raw[half:]), y[half:]
    for part in np.array_split(np.argsort(p), 10):
        assert p[part].mean() == pytest.approx(true[part].mean(), abs=0.035)  # 3 SE of 2000 persons at one half


def test_scores_that_tell_nothing_or_the_contrary_give_everybody_the_share():
    y = np.r_[np.zeros(30), np.ones(10)]
    against = np.where(y == 1, 0.2, 0.6)
    found = calibrated(against, y, np.array([0.1, 0.9]))
    assert found[0] == found[1] == pytest.approx(0.25, abs=0.02)


def test_separated_classes_are_not_given_certainty():
    y = np.r_[np.zeros(10), np.ones(10)]
    found = calibrated(np.where(y == 1, 0.99, 0.01), y, np.array([0.01, 0.99]))
    assert 0 < found[0] < 0.12
    assert 0.88 < found[1] < 1


def test_person_whom_every_tree_saw_is_left_out_of_the_calibration():
    y = np.r_[np.zeros(20), np.ones(20)]
    inner = np.random.default_rng(3).random(40)
    with_nan = calibrated(np.r_[inner, np.nan], np.r_[y, 1.0], inner)
    assert np.array_equal(with_nan, calibrated(inner, y, inner))


def test_half_width_is_the_conformal_rank_of_the_errors():
    y = np.zeros(19)
    inner = np.arange(1, 20) * np.where(np.arange(19) % 2, 1.0, -1.0)
    assert half_width(inner, y, 0.9) == 18  # ceil(20 * 0.9) = 18th smallest of 1 ... 19
    assert half_width(inner, y, 0.95) == 19
    assert half_width(np.r_[inner, np.nan], np.r_[y, 0], 0.9) == 18


def test_too_few_persons_for_the_level_have_no_interval():
    assert np.isnan(half_width(np.zeros(18), np.ones(18), 0.95))


def test_logistic_coefficients_are_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(4)
    x = rng.standard_normal((80, 6))
    y = (rng.random(80) < expit(x[:, 0] - 0.5)).astype(float)
    penalties = np.array([1.0, 0.1, 0.01])
    found = logistic(x, y, penalties)
    for column, penalty in zip(found.T, penalties, strict=True):  # theirs: C = 1 / (n * penalty)
        wanted = LogisticRegression(C=1 / (80 * penalty), tol=1e-10, max_iter=1000).fit(x, y)
        assert column[0] == pytest.approx(wanted.intercept_[0], abs=1e-3)
        assert column[1:] == pytest.approx(wanted.coef_[0], abs=1e-3)


def test_logistic_takes_probabilities_as_its_goal():
    found = logistic(np.array([[0.0], [1.0]]), np.array([0.2, 0.7]), np.zeros(1))[:, 0]
    assert found == pytest.approx([logit(0.2), logit(0.7) - logit(0.2)], abs=1e-3)


def test_reliability_of_probabilities_is_scikit_learns_regression_on_the_log_odds():
    rng = np.random.default_rng(5)
    odds = rng.normal(0, 1.5, 400)
    y = (rng.random(400) < expit(0.5 * odds - 0.4)).astype(float)  # overconfident by two, and shifted
    rows = pd.DataFrame({"y": y, "prediction": expit(odds), "low": np.nan, "high": np.nan})
    found = reliability(rows, is_class=True)
    wanted = LogisticRegression(C=1e9).fit(odds[:, None], y)
    assert found["slope"] == pytest.approx(wanted.coef_[0, 0], abs=0.01)  # ours holds extreme odds within 0.01 to 0.99
    assert found["intercept"] == pytest.approx(wanted.intercept_[0], abs=0.01)


def test_reliability_of_intervals_is_the_share_inside_them():
    rows = pd.DataFrame({"y": [1.0, 2, 3, 4], "prediction": 0.0, "low": [0, 0, 4, np.nan], "high": [1, 3, 5, np.nan]})
    assert reliability(rows, is_class=False) == {"coverage": pytest.approx(2 / 3)}
    assert reliability(rows.iloc[3:], is_class=False) == {"coverage": None}


@pytest.mark.parametrize("column", ["y", "prediction"])
def test_reliability_of_one_class_or_one_probability_is_undefined(column):
    rows = pd.DataFrame({"y": [0.0, 1, 1, 0], "prediction": [0.2, 0.7, 0.6, 0.1], "low": np.nan, "high": np.nan})
    assert reliability(rows.assign(**{column: 1.0 if column == "y" else 0.4}), is_class=True) == {
        "slope": None, "intercept": None,
    }  # fmt: skip

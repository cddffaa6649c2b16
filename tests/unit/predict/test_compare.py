"""Errors and paired differences against closed forms, scikit-learn, SciPy and statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, root_mean_squared_error
from statsmodels.stats.multitest import multipletests
from tests.comparisons import FAST, out_of_fold

from hypnoflow.config.compare import Comparison, Resampling
from hypnoflow.predict.compare import compare, compare_all, compare_errors
from hypnoflow.predict.losses import Asked, every_out_of_fold, out_of_fold_of
from hypnoflow.stats.paired import Paired, sign_flip_p

Z = 1.959964


def run(table, options=FAST, is_class=False, seed=3):
    found = out_of_fold_of(table, Asked("grouped", "linear", is_class))
    return compare(found, options, np.random.default_rng(seed))


def row(table, condition, family="primary"):
    rows = table[(table["condition"] == condition) & (table["family"] == family)]
    assert len(rows) == 1
    return rows.iloc[0]


def ages(n=300, seed=1):
    """Targets, and predictions that get better from 1 to 16."""
    rng = np.random.default_rng(seed)
    y, common = rng.uniform(20, 80, n), rng.normal(0, 6, n)
    made = {"baseline": np.full(n, 50.0)}
    made |= {f: y + common + rng.normal(0, sd, n) for f, sd in (("1", 6), ("2", 6), ("4", 4), ("16", 3), ("best", 3))}
    return y, made


def test_errors_are_scikit_learns():
    y, made = ages()
    found = row(run(out_of_fold(y, made)), "best")
    assert found["error"] == pytest.approx(root_mean_squared_error(y, made["best"]))
    assert found["reference_error"] == pytest.approx(root_mean_squared_error(y, made["1"]))
    sex, p = (y > 50).astype(float), np.clip(np.random.default_rng(2).random((2, 300)), 0, 1)
    classes = row(run(out_of_fold(sex, {"1": p[0], "best": p[1]}), is_class=True), "best")
    assert classes["error"] == pytest.approx(brier_score_loss(sex, p[1]))


def test_interval_of_a_difference_of_rmse_is_that_of_the_delta_method():
    """SE from the influence (e^2 - m) / (2 sqrt m) of each person."""
    y, made = ages(1500)
    e1, e2 = made["1"] - y, made["best"] - y
    m1, m2 = np.mean(e1**2), np.mean(e2**2)
    influence = (e2**2 - m2) / (2 * np.sqrt(m2)) - (e1**2 - m1) / (2 * np.sqrt(m1))
    half = Z * influence.std() / np.sqrt(1500)
    options = Comparison(resampling=Resampling(bootstrap=3000, permutations=100))
    found = row(run(out_of_fold(y, made), options), "best")
    assert found["difference"] == pytest.approx(np.sqrt(m2) - np.sqrt(m1))
    assert found["difference_low"] == pytest.approx(found["difference"] - half, abs=0.12 * half)
    assert found["difference_high"] == pytest.approx(found["difference"] + half, abs=0.12 * half)


def test_interval_of_a_brier_difference_is_scipys_bootstrap():
    rng = np.random.default_rng(4)
    y = (rng.random(400) < 0.3).astype(float)
    p1, p2 = np.clip(0.3 + rng.normal(0, 0.2, (2, 400)), 0, 1)
    d = (p2 - y) ** 2 - (p1 - y) ** 2
    wanted = stats.bootstrap((d,), np.mean, n_resamples=4000, method="percentile", rng=rng).confidence_interval
    options = Comparison(resampling=Resampling(bootstrap=4000, permutations=100))
    found = row(run(out_of_fold(y, {"1": p1, "best": p2}), options, is_class=True), "best")
    width = wanted.high - wanted.low
    assert found["difference_low"] == pytest.approx(wanted.low, abs=0.06 * width)
    assert found["difference_high"] == pytest.approx(wanted.high, abs=0.06 * width)


def test_signs_are_flipped_on_losses_and_enumerated_for_few_persons():
    """Losses of 8 persons: best is off by 1, 30 s by 2 in seven of them and by 0 in one: d = -3 (7 times), +1."""
    y = np.zeros(8)
    table = out_of_fold(y, {"1": [2.0] * 7 + [0.0], "best": [1.0] * 8})
    # |sum| = 20 is reached or passed only by all seven of one sign with any sign of the eighth: 4 of 256 patterns
    # (sums 20 and 22 and their opposites)
    assert row(run(table), "best")["p"] == 4 / 256


def test_holm_over_resolutions_is_statsmodels_and_leaves_the_primary_test_alone():
    y, made = ages(60)
    table = run(out_of_fold(y, made))
    fine = table[(table["family"] == "resolution") & table["p"].notna()]
    assert fine["condition"].tolist() == ["2", "4", "16"]
    assert fine["p_holm"].tolist() == pytest.approx(multipletests(fine["p"], method="holm")[1].tolist())
    primary = row(table, "best")
    assert primary["p_holm"] == primary["p"]


def test_families_of_comparisons_are_those_that_the_table_allows():
    y, made = ages(40)
    found = run(
        out_of_fold(
            y, made | {"classic": made["2"], "demographics+classic": made["4"], "demographics+best": made["16"]}
        )
    )
    pairs = {family: list(zip(t["condition"], t["reference"], strict=True)) for family, t in found.groupby("family")}
    assert pairs["neighbour"] == [("2", "1"), ("4", "2"), ("16", "4")]
    assert pairs["added"] == [
        ("1", "baseline"), ("best", "baseline"), ("classic", "baseline"), ("1", "classic"), ("best", "classic"),
    ]  # fmt: skip
    assert pairs["primary"] == [("best", "1")]


def test_every_scheme_and_learner_has_its_rows():
    y, made = ages(40)
    both = pd.concat([out_of_fold(y, made), out_of_fold(y, made, learner="forest")])
    found = compare_all(every_out_of_fold(both, is_class=False, target="age").values(), FAST, seed=1)
    assert found[found["family"] == "primary"]["learner"].tolist() == ["linear", "forest"]


@pytest.mark.parametrize("how", ["nights", "families"])
def test_two_nights_or_twins_of_each_person_change_no_interval_and_no_p(how):
    """Point 7 of the issue: 100 persons twice say what 100 persons say."""
    y, made = ages(100)
    single = out_of_fold(y, made)
    second = single.assign(person=single["person"] + "b") if how == "families" else single
    doubled = run(pd.concat([single, second], ignore_index=True))
    alone = run(single)
    numbers = ["error", "low", "high", "difference", "difference_low", "difference_high", "p", "p_holm", "groups"]
    assert np.allclose(doubled[numbers].astype(float), alone[numbers].astype(float), equal_nan=True, rtol=1e-12)
    assert (doubled["persons"] == alone["persons"] * (2 if how == "families" else 1)).all()


def test_each_pair_uses_the_persons_whom_both_predicted():
    y, made = ages(30)
    made["demographics"] = np.where(np.arange(30) < 10, np.nan, made["1"])
    found = run(out_of_fold(y, made))
    assert row(found, "demographics", "added")["persons"] == 20
    assert row(found, "best")["persons"] == 30


def test_pair_without_a_common_person_is_nan_and_not_zero():
    table = out_of_fold([1.0, 2.0], {"1": [1, np.nan], "best": [np.nan, 1]})
    found = out_of_fold_of(table, Asked("grouped", "linear", False))
    rows = compare_errors(found, ["best"], "1", FAST, np.random.default_rng(1))
    assert rows["groups"].tolist() == [0, 0]
    assert rows[["error", "difference", "p"]].isna().all(axis=None)


def test_sign_flips_reject_as_often_as_they_say_under_the_null():
    """Two conditions of the same quality, their losses skewed and correlated as squared errors are."""
    rng, rejected, studies = np.random.default_rng(5), 0, 1000
    family = np.arange(60) // 2
    for _ in range(studies):
        common, own = rng.normal(0, 8, (30, 1)).repeat(2, axis=0), rng.normal(0, 5, (60, 2))
        loss = Paired(("1", "best"), np.square(common + own), family)
        rejected += sign_flip_p(loss, reference=0, permutations=400, rng=rng)[1] < 0.05
    low, high = stats.binom.ppf([0.001, 0.999], studies, 0.05)
    assert low <= rejected <= high


@pytest.mark.parametrize(("folds", "factor"), [(5, 1.5), (2, np.sqrt(3)), (10, np.sqrt(1 + 10 / 9))])
def test_intervals_of_cross_validated_differences_are_widened_for_shared_training_persons(folds, factor):
    """Nadeau & Bengio 2003: the variance is larger by 1 + k / (k - 1)."""
    y, made = ages(60)
    plain = out_of_fold(y, made)
    person = plain.groupby("person").ngroup()
    one, two = (run(plain.assign(fold=fold)) for fold in (0, person % folds))
    a, b = row(one, "best"), row(two, "best")
    assert b["difference"] == a["difference"]
    for end in ("difference_low", "difference_high"):
        assert b[end] - b["difference"] == pytest.approx(factor * (a[end] - a["difference"]))
    assert b["p"] >= a["p"]
    assert (a["low"], a["high"]) == (b["low"], b["high"])  # of the error itself

"""Effects by cohort, within cohorts, and for recordings of equal length, on studies whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.comparisons import FAST, out_of_fold

from hypnoflow.predict.cohorts import (
    AS_PREDICTED,
    COMBINED,
    WITHIN,
    association,
    by_cohort,
    densest_window,
    differences,
    equalised_by_length,
    mixed_effects,
    strata_of,
    within_cohorts,
)
from hypnoflow.predict.losses import Asked, out_of_fold_of
from hypnoflow.predict.primary import BETTER, NO_EVIDENCE, TOO_FEW, best_against_30_s
from hypnoflow.stats.meta import combine

N = 80


def found(table, is_class=False):
    return out_of_fold_of(table, Asked("grouped", "linear", is_class))


def gain(cohorts="abcd", n=N, seed=1, sd=6):
    """A true gain of the same size in every cohort."""
    rng = np.random.default_rng(seed)
    size = n * len(cohorts)
    y = rng.uniform(20, 80, size)
    best = {"1": y + rng.normal(0, 8, size), "best": y + rng.normal(0, sd, size)}
    return out_of_fold(y, best, cohort=np.repeat(list(cohorts), n))


def site_effect(n=N, seed=2):
    """A class whose share differs between cohorts; "best" knows the cohort and nothing else, 30 s knows nothing."""
    rng = np.random.default_rng(seed)
    share = np.repeat([0.15, 0.85, 0.3, 0.7], n)
    y = (rng.random(4 * n) < share).astype(float)
    guess = {"1": 0.5 + rng.normal(0, 0.02, 4 * n), "best": share + rng.normal(0, 0.02, 4 * n)}
    return out_of_fold(y, guess, cohort=np.repeat(list("abcd"), n))


def test_rows_are_the_cohorts_own_means_with_students_interval_and_their_meta_analysis():
    study = found(gain())
    table = by_cohort(study, FAST)
    rows = table[table["kind"] == AS_PREDICTED].set_index("cohort")
    d = differences(study).set_index("cohort")["difference"]
    for name in "abcd":
        wanted = stats.ttest_1samp(d[name], 0).confidence_interval(0.95)
        assert rows.loc[name, "difference"] == pytest.approx(d[name].mean())
        assert rows.loc[name, ["low", "high"]].tolist() == pytest.approx([wanted.low, wanted.high])
    both = combine([d[c].mean() for c in "abcd"], [d[c].var(ddof=1) / N for c in "abcd"])
    assert rows.loc[COMBINED, "difference"] == pytest.approx(both.effect)
    assert rows.loc[COMBINED, ["groups", "persons"]].tolist() == [4 * N, 4 * N]
    assert rows.loc[COMBINED, "high"] < 0


def test_cohort_of_three_persons_is_shown_without_interval_and_is_in_no_combination():
    small = gain("z", 3).assign(person=lambda t: "z" + t["person"])
    table = by_cohort(found(pd.concat([gain("ab"), small])), FAST).set_index(["kind", "cohort"])
    without = by_cohort(found(gain("ab")), FAST).set_index(["kind", "cohort"])
    for kind in (AS_PREDICTED, WITHIN):
        assert table.loc[(kind, "z"), "groups"] == 3
        assert table.loc[(kind, "z"), ["low", "high"]].isna().all()
        assert np.isfinite(table.loc[(kind, "z"), "difference"])
        assert table.loc[(kind, COMBINED), "difference"] == pytest.approx(without.loc[(kind, COMBINED), "difference"])


def test_a_true_gain_is_seen_pooled_and_within_cohorts():
    mixed = mixed_effects(found(gain()), FAST)
    assert mixed["difference"]["high"] < 0
    assert mixed["difference_within"]["high"] < 0
    assert mixed["difference_within"]["estimate"] == pytest.approx(36 - 64, abs=8)
    assert mixed["pooled"] == pytest.approx(mixed["difference"]["estimate"], abs=1.5)


def test_a_pure_site_effect_wins_pooled_and_is_gone_within_cohorts():
    study = found(site_effect(), True)
    rng = np.random.default_rng(1)
    assert best_against_30_s(study, FAST, rng)["verdict"] == BETTER
    assert best_against_30_s(within_cohorts(study), FAST, rng)["verdict"] == NO_EVIDENCE
    mixed = mixed_effects(study, FAST)
    assert mixed["difference"]["high"] < 0  # the gain of knowing the cohort is in every cohort's own loss
    assert abs(mixed["difference_within"]["estimate"]) < 0.005
    inside = mixed["association"]["best"]
    assert inside["low"] < 0 < inside["high"]


def test_pure_site_effect_is_claimed_within_cohorts_no_more_often_than_chance():
    studies = [found(site_effect(60, seed), True) for seed in range(60)]
    p = np.array([best_against_30_s(within_cohorts(s), FAST, np.random.default_rng(1))["p"] for s in studies])
    assert (p < 0.05).sum() <= stats.binom.ppf(0.999, 60, 0.05)


def test_association_within_cohorts_is_the_correlation_of_prediction_and_target():
    study = found(gain())
    slope = association(study, "best", 0.95)
    y, p = (within_cohorts(study).people["y"], study.mean_prediction("best"))
    cohort = study.people["cohort"]
    centred = [pd.Series(v).groupby(cohort.to_numpy()).transform(lambda c: c - c.mean()) for v in (y.to_numpy(), p)]
    assert slope["estimate"] == pytest.approx(np.corrcoef(*centred)[0, 1], abs=1e-3)


def test_twins_change_nothing_in_cohorts_mixed_model_and_length():
    single = gain("abc", 40)
    doubled = pd.concat([single, single.assign(person=single["person"] + "b")], ignore_index=True)
    once, twice = found(single), found(doubled)
    numbers = ["difference", "low", "high", "groups"]
    assert np.allclose(by_cohort(once, FAST)[numbers], by_cohort(twice, FAST)[numbers])
    a, b = mixed_effects(once, FAST), mixed_effects(twice, FAST)
    for part in ("difference", "difference_within"):
        assert [a[part][k] for k in ("estimate", "se", "p", "groups")] == pytest.approx(
            [b[part][k] for k in ("estimate", "se", "p", "groups")],
            rel=1e-4,  # where an optimiser stops
        )
    assert a["association"]["best"]["p"] == pytest.approx(b["association"]["best"]["p"], rel=1e-3)


def lengths(study, hours):
    return pd.Series(hours, index=study.people["person"])


def test_gain_that_is_of_the_length_of_recordings_is_gone_in_window_and_strata():
    """The target is the length plus noise; "best" knows the length, 30 s knows nothing."""
    rng = np.random.default_rng(3)
    hours = rng.uniform(4, 10, 300)
    y = 10 * hours + rng.normal(0, 10, 300)
    study = found(out_of_fold(y, {"1": np.full(300, y.mean()), "best": 10 * hours}))
    options = FAST.model_copy(update={"length_strata": 50, "length_window_h": 0.5})
    plain, window, strata = equalised_by_length(study, lengths(study, hours), options, np.random.default_rng(1))
    assert [row["way"] for row in (plain, window, strata)] == ["as predicted", "window", "strata"]
    assert plain["verdict"] == BETTER
    share = [row["difference"] / row["reference_error"] for row in (plain, strata)]
    assert share[0] < -0.35
    assert abs(share[1]) < 0.02
    assert window["to_h"] - window["from_h"] == pytest.approx(0.5)


def test_gain_that_has_nothing_to_do_with_length_stays():
    study = found(gain("a", 300, sd=4))
    hours = lengths(study, np.random.default_rng(4).uniform(4, 10, 300))
    options = FAST.model_copy(update={"length_window_h": 3.0})
    rows = equalised_by_length(study, hours, options, np.random.default_rng(1))
    assert [row["verdict"] for row in rows] == [BETTER] * 3


def test_persons_without_a_length_are_left_out_and_too_few_make_no_claim():
    study = found(gain("a", 60))
    hours = lengths(study, np.where(np.arange(60) < 30, np.linspace(1, 20, 60), np.nan))
    plain, window, _ = equalised_by_length(study, hours, FAST, np.random.default_rng(1))
    assert plain["groups"] == 30
    assert (window["verdict"], window["p"]) == (TOO_FEW, None)
    nobody = equalised_by_length(study, lengths(study, np.full(60, np.nan)), FAST, np.random.default_rng(1))
    assert [(row["verdict"], row["groups"]) for row in nobody] == [(TOO_FEW, 0)] * 3


def test_densest_window_is_the_earliest_that_holds_most():
    assert densest_window(np.array([9.0, 1.0, 1.5, 2.0, 5.0, 5.5, 6.0]), 1.0) == 1.0
    assert np.isnan(densest_window(np.empty(0), 1.0))


def test_strata_are_of_equal_size_and_equal_values_share_one():
    assert strata_of(np.arange(10.0), 5).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert len(set(strata_of(np.full(9, 7.0), 5).tolist())) == 1

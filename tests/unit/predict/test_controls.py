"""Negative controls, learning curve and discovery on made studies; learners behind the `Refit` protocol."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.comparisons import FAST, ridge_refit

from hypnoflow.config.compare import Comparison, Resampling
from hypnoflow.predict.controls import predict_cohort, resolution_jitter, shuffled_labels
from hypnoflow.predict.curves import curve_sizes, learning_curve
from hypnoflow.predict.losses import Asked
from hypnoflow.predict.primary import BETTER, NO_EVIDENCE
from hypnoflow.predict.refit import draw_groups, shuffle_targets

AGE = Asked("grouped", "linear", is_class=False, target="age")


def people(n=40, cohorts="abc", family=1) -> pd.DataFrame:
    """Persons in families of `family`, whose target tells who they are."""
    cohort = np.repeat(list(cohorts), n)
    number = np.tile(np.arange(n), len(cohorts))
    table = pd.DataFrame({"cohort": cohort, "y": np.arange(len(cohort), dtype=float)})
    table["person"] = [f"{c}/p{k:03d}" for c, k in zip(cohort, number, strict=True)]
    return table.assign(group=[f"{c}/g{k // family:03d}" for c, k in zip(cohort, number, strict=True)])


def features(table, informative, seed=1, noise=1.0) -> dict[str, pd.DataFrame]:
    """Five noisy columns at two resolutions; the first is `informative` plus noise at 16, pure noise at 1."""
    rng = np.random.default_rng(seed)
    x = {name: rng.normal(0, 1, (len(table), 5)) for name in ("1", "16")}
    x["16"][:, 0] = informative + noise * rng.normal(0, 1, len(table))
    return {name: pd.DataFrame(values, index=table["person"]) for name, values in x.items()}


def test_shuffled_targets_are_the_same_values_in_every_cohort():
    table = people()
    dealt = shuffle_targets(table, np.random.default_rng(1))
    assert dealt.drop(columns="y").equals(table.drop(columns="y"))
    assert (dealt["y"] != table["y"]).mean() > 0.9
    for name in "abc":
        rows = table["cohort"] == name
        assert sorted(dealt.loc[rows, "y"]) == sorted(table.loc[rows, "y"])


def test_families_are_dealt_as_blocks():
    table = people(family=2)
    table["y"] = table.groupby("group").ngroup().astype(float)
    dealt = shuffle_targets(table, np.random.default_rng(1))
    assert (dealt.groupby("group")["y"].nunique() == 1).all()
    assert (dealt["y"] != table["y"]).mean() > 0.9


def test_drawn_groups_are_whole_and_cohorts_keep_their_share():
    table = pd.concat([people(60, "a", 2), people(20, "b", 2), people(40, "c", 2)], ignore_index=True)  # 30, 10, 20
    for n in (6, 30, 59, 60):
        drawn = draw_groups(table, n, np.random.default_rng(n))
        groups = drawn.drop_duplicates("group")
        assert len(groups) == n
        assert (drawn.groupby("group").size() == 2).all()
        counts = groups["cohort"].value_counts().reindex(["a", "b", "c"], fill_value=0)
        assert np.abs(counts.to_numpy() - n * np.array([30, 10, 20]) / 60).max() <= 1


def test_every_group_is_drawn_as_often_as_any_other():
    table = people(8, "ab")
    rng = np.random.default_rng(1)
    counts = pd.concat([draw_groups(table, 4, rng) for _ in range(500)])["person"].value_counts()
    assert len(counts) == 16
    assert counts.to_numpy() == pytest.approx(125, abs=4 * np.sqrt(500 * 0.25 * 0.75))


def test_shuffled_labels_of_an_honest_pipeline_find_nothing():
    table = people()
    table["y"] = np.random.default_rng(2).uniform(20, 80, len(table))
    refit = ridge_refit(features(table, (table["y"] - 50) / 10))
    found = shuffled_labels(refit, table, AGE, FAST, seed=1)
    assert (found["repeats"], found["flag"]) == (4, False)
    assert len(found["differences"]) == len(found["skills"]) == 4
    assert max(found["skills"]) < 0.1


def test_shuffled_labels_flag_a_target_that_follows_the_cohort():
    """Features know the cohort, cohorts differ in the target: shuffling within cohorts leaves that to be found."""
    table = people()
    site = table["cohort"].map({"a": 0.0, "b": 5.0, "c": 10.0}).to_numpy()
    table["y"] = 4 * site + np.random.default_rng(2).normal(0, 3, len(table))
    refit = ridge_refit(features(table, site))
    found = shuffled_labels(refit, table, AGE, FAST, seed=1)
    assert found["flag"]
    assert found["predicted"] == found["gained"] == 4
    assert "features tell cohorts apart" in found["text"]


def test_shuffled_labels_flag_a_pipeline_that_leaks():
    def leaking(table):
        made = ridge_refit(features(table, np.zeros(len(table))))(table)
        made.loc[made["condition"] == "best", "prediction"] = made["y"]
        return made

    found = shuffled_labels(leaking, people(30, "a"), AGE, FAST, seed=1)
    assert found["flag"]


def test_repeats_that_return_nothing_are_not_counted():
    found = shuffled_labels(lambda _: pd.DataFrame(), people(), AGE, FAST, seed=1)
    assert (found["repeats"], found["flag"], found["text"]) == (0, False, "not made")


def matrix(shift, n=60, seed=1):
    """Six features of groups in three cohorts; the first is moved by `shift` from cohort to cohort."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (3 * n, 6))
    x[:, 0] += shift * np.repeat([0, 1, 2], n)
    index = pd.MultiIndex.from_product([list("abc"), range(n)], names=["cohort", "group"])
    return pd.DataFrame(x, index=index)


def test_cohorts_that_features_do_not_tell_apart_are_found_by_chance_only():
    flags = [predict_cohort({"1": matrix(0, seed=k)}, FAST, seed=k)["flag"] for k in range(20)]
    assert sum(flags) <= 3  # 99.9 % point of 20 draws at 2.5 % (one side)
    found = predict_cohort({"1": matrix(0)}, FAST, seed=1)
    assert found["chance"] == pytest.approx(1 / 3)
    assert "no sign" in found["text"]


def test_site_effect_is_flagged_at_the_resolution_that_has_it():
    found = predict_cohort({"1": matrix(0), "16": matrix(4)}, FAST, seed=1)
    rows = {row["condition"]: row for row in found["rows"]}
    assert found["flag"] and rows["16"]["above"] and not rows["1"]["above"]
    # Three normal distributions 4 SD apart, cut half way: 1 - (2/3) * 2 * (1 - Phi(2)) are right
    assert rows["16"]["balanced_accuracy"] == pytest.approx(0.9697, abs=0.03)
    assert "features betray the cohort" in found["text"]


def test_cohort_sizes_do_not_move_the_chance_level():
    """Nothing to find, one cohort of 200 and one of 20: accuracy of the majority 0.91, balanced 0.5."""
    x = np.random.default_rng(3).normal(0, 1, (220, 4))
    index = pd.MultiIndex.from_arrays([["a"] * 200 + ["b"] * 20, range(220)], names=["cohort", "group"])
    row = predict_cohort({"1": pd.DataFrame(x, index=index)}, FAST, seed=1)["rows"][0]
    assert row["low"] < 0.5 < row["high"]


def test_small_cohorts_undefined_and_constant_features_are_no_obstacle():
    x = matrix(4)
    x[6], x[7] = np.nan, 1.0
    x.iloc[::7, 0] = np.nan
    small = pd.MultiIndex.from_tuples([("tiny", 1), ("tiny", 2), ("tiny", 3)], names=["cohort", "group"])
    x = pd.concat([x, pd.DataFrame(0.0, index=small, columns=x.columns)])
    found = predict_cohort({"1": x}, FAST, seed=1)
    assert found["left_out"] == ["tiny"] and found["cohorts"] == 3 and found["flag"]
    one = predict_cohort({"1": x.loc[["a"]]}, FAST, seed=1)
    assert (one["rows"], one["flag"], one["text"]) == ([], False, "not made: fewer than two cohorts")


def jitter(differences, primary):
    rows = pd.DataFrame({"family": "neighbour", "difference": differences})
    return resolution_jitter(rows, {"measure": "RMSE", **primary})


def test_gain_within_what_neighbouring_resolutions_differ_by_is_flagged():
    claimed = {"verdict": BETTER, "difference": -0.5}
    found = jitter([0.1, -0.5, 0.2], claimed)
    assert (found["pairs"], found["median"], found["largest"], found["flag"]) == (3, 0.2, 0.5, True)
    assert found["limit"] == pytest.approx(0.581, abs=1e-3)
    assert not jitter([0.1, -0.6, 0.1], claimed)["flag"]  # the gain is one true step, not jitter
    assert not jitter([0.5], {"verdict": NO_EVIDENCE, "difference": -0.3})["flag"]
    assert jitter([], claimed)["text"] == "not made: one resolution"


def test_curve_sizes_are_evenly_spaced_in_log_up_to_all():
    options = Comparison(min_groups=20, curve_sizes=3)
    assert curve_sizes(320, options) == [20, 80, 320]
    assert curve_sizes(20, options) == [20]
    assert curve_sizes(19, options) == []
    assert curve_sizes(320, Comparison(curve_sizes=0)) == []


def test_learning_curve_falls_with_persons_and_names_every_condition():
    table = people(100)
    table["y"] = np.random.default_rng(2).uniform(20, 80, len(table))
    refit = ridge_refit(features(table, (table["y"] - 50) / 10))
    curve = learning_curve(refit, table, AGE, FAST, seed=1).set_index(["groups", "condition"])
    assert sorted(set(curve.index.get_level_values("groups"))) == [20, 77, 300]
    assert curve.loc[(300, "best"), "error"] < curve.loc[(20, "best"), "error"]
    assert curve.loc[(300, "best"), "difference"] < 0
    assert (curve.xs("1", level="condition")["difference"] == 0).all()
    assert curve.loc[(20, "best"), "draws"] == 2 and curve.loc[(300, "best"), "draws"] == 1
    # RMSE of the mean: SD of a uniform on 20 to 80
    assert curve.loc[(300, "baseline"), "error"] == pytest.approx(60 / np.sqrt(12), rel=0.06)
    assert (curve["low"] <= curve["error"] + 1e-9).all() and (curve["error"] <= curve["high"] + 1e-9).all()


def test_curve_leaves_out_what_cannot_be_fitted():
    def picky(table):
        return ridge_refit(features(table, table["y"].to_numpy()))(table) if len(table) > 50 else pd.DataFrame()

    curve = learning_curve(picky, people(), AGE, FAST, seed=1)
    assert curve["groups"].min() > 20
    assert learning_curve(lambda _: pd.DataFrame(), people(), AGE, FAST, seed=1).empty


def test_controls_hold_at_the_smallest_options():
    options = Comparison(resampling=Resampling(bootstrap=100, permutations=100), shuffles=1, curve_sizes=1)
    table = people(10, "ab")
    refit = ridge_refit(features(table, table["y"].to_numpy()))
    assert shuffled_labels(refit, table, AGE, options, seed=1)["repeats"] == 1
    assert set(learning_curve(refit, table, AGE, options, seed=1)["groups"]) == {20}

"""The discovery table against SciPy, scikit-learn, statsmodels and made studies whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests
from tests.comparisons import FAST

from hypnoflow.predict.discover import cliffs_delta, discover, spearman, with_fdr, write_discovery
from hypnoflow.predict.grouped import features_by_group, targets_by_group
from hypnoflow.stats.meta import combine

STEPS = (1, 16)


def study(n=40, cohorts="abc", seed=1, slope=1.0):
    """One recording per person: "signal" follows y at 16 steps only, "noise" never, "flat" is constant."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"cohort": np.repeat(list(cohorts), n)})
    people["person"] = [f"p{k:03d}" for k in range(len(people))]
    people["group"] = people["person"]
    people["y"] = rng.normal(0, 1, len(people))
    rows = []
    for f in STEPS:
        signal = rng.normal(0, 1, len(people)) + slope * (f == 16) * people["y"]
        rows.append(people.drop(columns="y").assign(
            recording=people["person"], steps_per_epoch=f, signal=signal, noise=rng.normal(0, 1, len(people)),
            flat=3.0, empty=np.nan, classic_tst=people["y"] * 2,
        ))  # fmt: skip
    return pd.concat(rows, ignore_index=True), people


COLUMNS = ["signal", "noise", "flat", "empty", "classic_tst"]


def run(features, people, is_class=False, options=FAST):
    table = discover(features, people, COLUMNS, options, target="age", is_class=is_class, once=["classic_tst"])
    return table.set_index(["feature", "steps_per_epoch"])


def test_rho_of_each_column_is_scipys():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 9, (30, 4)).astype(float), rng.normal(0, 1, 30)
    rho, variance = spearman(x, y)
    assert rho.tolist() == pytest.approx([stats.spearmanr(x[:, k], y).statistic for k in range(4)])
    assert variance.tolist() == pytest.approx(((1 + rho**2 / 2) / 27).tolist())


def test_delta_is_from_scikit_learns_auc_and_its_variance_without_effect_is_that_of_mann_whitney():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 9, (40, 4)).astype(float), (np.arange(40) < 12).astype(float)
    delta, _ = cliffs_delta(x, y)
    assert delta.tolist() == pytest.approx([2 * roc_auc_score(y, x[:, k]) - 1 for k in range(4)])
    # Classes that alternate symmetrically have AUC 1/2, where var(AUC) = (n0 + n1 + 1) / (12 n0 n1)
    none, _ = cliffs_delta(np.array([[0.0], [1], [2], [3], [4], [5]]), np.array([1.0, 0, 0, 1, 1, 0]))
    assert none[0] == pytest.approx(-1 / 9)
    even, variance = cliffs_delta(np.array([[0.0], [1], [2], [3], [4], [5], [6]]), np.array([1.0, 0, 0, 1, 0, 0, 1]))
    assert even[0] == 0
    assert variance[0] == pytest.approx(4 * (3 + 4 + 1) / (12 * 3 * 4))


@pytest.mark.parametrize("cases", [6, 12, 35])
def test_p_of_a_class_in_one_cohort_is_that_of_the_rank_sum_test(cases):
    features, people = study(n=40, cohorts="a")
    people["y"] = (people["y"].rank() <= cases).astype(float)
    found = run(features, people, is_class=True)
    for f, part in features.groupby("steps_per_epoch"):
        x, y = part["signal"].to_numpy(), people["y"].to_numpy()
        test = stats.mannwhitneyu(x[y == 1], x[y == 0], method="asymptotic", use_continuity=False)
        assert found.loc[("signal", f), "p"] == pytest.approx(test.pvalue)


@pytest.mark.parametrize("of_column", [spearman, cliffs_delta])
def test_turning_a_feature_round_turns_the_effect_and_leaves_its_variance(of_column):
    rng = np.random.default_rng(2)
    y = (np.arange(40) < 13).astype(float)
    x = rng.normal(0, 1, (40, 5)) + y[:, None]
    (a, v), (b, w) = of_column(x, y), of_column(-x, y)
    assert a.tolist() == pytest.approx((-b).tolist())
    assert v.tolist() == pytest.approx(w.tolist())


def test_classes_apart_altogether_have_effect_one_and_a_finite_variance():
    delta, variance = cliffs_delta(np.arange(20.0)[:, None], (np.arange(20) >= 10).astype(float))
    assert delta[0] == 1
    assert 0 < variance[0] < 0.02


@pytest.mark.parametrize("is_class", [False, True])
def test_intervals_of_the_effect_cover_the_truth(is_class):
    """Normal with correlation 0.5: rho = 6/pi asin(1/4). Classes one SD apart: delta = 2 Phi(1/sqrt 2) - 1."""
    rng, covered, studies = np.random.default_rng(3), 0, 400
    truth = 2 * stats.norm.cdf(1 / np.sqrt(2)) - 1 if is_class else 6 / np.pi * np.arcsin(0.25)
    for _ in range(studies):
        y = (np.arange(80) < 30).astype(float) if is_class else rng.standard_normal(80)
        x = (y if is_class else 0.5 * y)[:, None] + (1 if is_class else np.sqrt(0.75)) * rng.standard_normal((80, 1))
        effect, variance = cliffs_delta(x, y) if is_class else spearman(x, y)
        gap = effect[0] - truth if is_class else np.arctanh(effect[0]) - np.arctanh(truth)
        covered += abs(gap) < 1.959964 * np.sqrt(variance[0])
    assert 0.92 <= covered / studies <= 0.98


def test_effect_is_the_meta_analysis_of_fishers_z_over_cohorts():
    features, people = study()
    row = run(features, people).loc[("signal", 16)]
    z, v = [], []
    for name in "abc":
        part = features[(features["cohort"] == name) & (features["steps_per_epoch"] == 16)]
        rho = stats.spearmanr(part["signal"], people.loc[people["cohort"] == name, "y"]).statistic
        z.append(np.arctanh(rho))
        v.append((1 + rho**2 / 2) / 37)
    wanted = combine(z, v)
    low, high = wanted.interval(0.95)
    assert row[["effect", "low", "high"]].tolist() == pytest.approx(np.tanh([wanted.effect, low, high]).tolist())
    assert (row["p"], row["i2"]) == (pytest.approx(wanted.p), pytest.approx(wanted.i2))
    assert (row["cohorts"], row["cohorts_positive"], row["groups"]) == (3, 3, 120)
    assert row["by_cohort"] == ", ".join(f"{c} {np.tanh(e):+.2f}" for c, e in zip("abc", z, strict=True))


def test_the_true_effect_stands_first_and_classic_features_are_tested_once():
    features, people = study()
    table = run(features, people)
    assert list(table.index[:2]) == [("classic_tst", 1), ("signal", 16)]
    assert ("classic_tst", 16) not in table.index
    assert (table["step_s"].xs(16, level=1) == 1.875).all()


def test_constant_and_undefined_features_are_nan_and_stand_last():
    table = run(*study())
    for name in ("flat", "empty"):
        rows = table.xs(name, level=0)
        assert rows[["effect", "low", "high", "p", "fdr", "i2"]].isna().all(axis=None)
        assert (rows["cohorts"] == 0).all()
    assert set(table.index[-4:].get_level_values(0)) == {"flat", "empty"}


def test_fdr_is_statsmodels_over_all_tests_that_were_made_and_over_joined_tables():
    table = run(*study()).reset_index()
    made = table["p"].notna()
    assert made.sum() == 5
    assert table.loc[made, "fdr"].tolist() == pytest.approx(multipletests(table.loc[made, "p"], method="fdr_bh")[1])
    joined = with_fdr(pd.concat([table, table.assign(target="sex")]))
    known = joined["p"].notna()
    assert joined.loc[known, "fdr"].tolist() == pytest.approx(multipletests(joined.loc[known, "p"], method="fdr_bh")[1])


def test_difference_between_cohorts_alone_is_no_effect():
    features, people = study(slope=0.0)
    site = {"a": 0.0, "b": 20.0, "c": 40.0}
    people["y"] += people["cohort"].map(site)
    features["signal"] += features["cohort"].map(site)
    row = run(features, people).loc[("signal", 16)]
    assert row["low"] < 0 < row["high"]


def test_effects_of_opposite_sign_show_in_heterogeneity_and_direction():
    features, people = study()
    features.loc[features["cohort"] == "b", "signal"] *= -1
    row = run(features, people).loc[("signal", 16)]
    assert row["i2"] > 0.8
    assert (row["cohorts_positive"], row["cohorts"]) == (2, 3)
    assert "b −" in row["by_cohort"].replace("-", "−")


def test_cohort_with_too_few_groups_or_one_class_is_left_out():
    features, people = study(seed=4)
    small_features, small = study(5, "z", seed=5)
    shift = {"person": lambda t: "z" + t["person"], "group": lambda t: "z" + t["group"]}
    both = run(pd.concat([features, small_features.assign(**shift)]), pd.concat([people, small.assign(**shift)]))
    assert both.loc[("signal", 16), "cohorts"] == 3
    classes = people.assign(y=(people["y"] > 0).astype(float))
    classes.loc[classes["cohort"] == "c", "y"] = 1.0
    row = run(features, classes, is_class=True).loc[("signal", 16)]
    assert (row["cohorts"], row["groups"], row["measure"]) == (2, 80, "Cliff's delta")
    assert row["effect"] > 0.3


def test_values_that_some_groups_lack_are_left_out_of_their_column_only():
    features, people = study()
    features.loc[::3, "noise"] = np.nan
    table = run(features, people)
    assert table.loc[("noise", 1), "groups"] == 80
    assert table.loc[("signal", 1), "groups"] == 120


@pytest.mark.parametrize("is_class", [False, True])
@pytest.mark.parametrize("how", ["nights", "families"])
def test_two_nights_or_twins_of_each_person_change_nothing(how, is_class):
    features, people = study()
    if is_class:
        people["y"] = (people["y"] > 0).astype(float)
    second, again = features.copy(), people.copy()
    if how == "families":
        second["person"] += "b"
        again = pd.concat([people, people.assign(person=people["person"] + "b")])
    twice = run(pd.concat([features, second]), again, is_class)
    once = run(features, people, is_class)
    numbers = ["effect", "low", "high", "p", "fdr", "i2", "groups"]
    assert np.allclose(twice.loc[once.index, numbers], once[numbers].astype(float), equal_nan=True)


def test_nights_are_averaged_before_persons_and_persons_before_families():
    rows = [("p", "f", 1.0), ("p", "f", 3.0), ("q", "f", 10.0), ("r", "", 7.0)]
    table = pd.DataFrame(rows, columns=["person", "group", "v"]).assign(cohort="x", steps_per_epoch=1)
    found = features_by_group(table, ["v"])
    assert found[(1, "v")].to_dict() == {("x", "x/f"): 6.0, ("x", "x/r"): 7.0}


def test_family_of_two_classes_is_spoken_for_by_its_first_person():
    people = pd.DataFrame({"cohort": "x", "person": list("dcba"), "group": list("ffgg"), "y": [1.0, 0.0, 1.0, 1.0]})
    kept, y = targets_by_group(people, is_class=True)
    assert kept["person"].tolist() == ["x/c", "x/a", "x/b"]
    assert y.tolist() == [0.0, 1.0]
    assert targets_by_group(people, is_class=False)[1].tolist() == [0.5, 1.0]


def test_features_of_no_resolution_have_none_in_the_table():
    features, people = study()
    slopes = features[features["steps_per_epoch"] == 16].drop(columns="steps_per_epoch")
    table = discover(slopes, people, ["signal"], FAST, target="age", is_class=False)
    assert table["steps_per_epoch"].tolist() == [0] and table["step_s"].isna().all()


def test_written_table_is_the_same_as_parquet_and_csv(tmp_path):
    table = run(*study()).reset_index()
    write_discovery(table, tmp_path / "age.discovery")
    for found in (pd.read_parquet(tmp_path / "age.discovery.parquet"), pd.read_csv(tmp_path / "age.discovery.csv")):
        pd.testing.assert_frame_equal(found.fillna({"by_cohort": ""}), table, check_dtype=False)

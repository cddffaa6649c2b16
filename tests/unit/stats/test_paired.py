"""Paired comparisons against closed forms, SciPy and hand-made cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hypnoflow.config.compare import Resampling
from hypnoflow.stats.paired import Paired, compare_means, holm, pair_up, paired_bootstrap, sign_flip_p


def persons(*columns, group=None) -> Paired:
    values = np.column_stack([np.asarray(c, float) for c in columns])
    names = tuple("abcdefg"[: values.shape[1]])
    return Paired(names, values, np.arange(len(values)) if group is None else np.asarray(group))


def flip_p(found: Paired, permutations: int = 10_000, seed: int = 1) -> np.ndarray:
    return sign_flip_p(found, reference=0, permutations=permutations, rng=np.random.default_rng(seed))


def table(**columns) -> pd.DataFrame:
    return pd.DataFrame({"cohort": "x", **columns})


@pytest.mark.parametrize(("confidence", "z"), [(0.95, 1.959964), (0.8, 1.281552)])
def test_interval_of_a_mean_is_normal_theorys(rng, confidence, z):
    values = rng.normal(3, 2, 1500)
    found = persons(values, values + rng.normal(1, 0.5, 1500))
    options = Resampling(bootstrap=3000, confidence=confidence, permutations=100)
    row = compare_means(found, "a", options, np.random.default_rng(2)).set_index("condition").loc["b"]
    difference = found.values[:, 1] - found.values[:, 0]
    se = difference.std() / np.sqrt(1500)
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["difference_low"] == pytest.approx(difference.mean() - z * se, abs=0.12 * z * se)
    assert row["difference_high"] == pytest.approx(difference.mean() + z * se, abs=0.12 * z * se)
    assert (row["persons"], row["groups"]) == (1500, 1500)


def test_families_are_drawn_together_so_twins_say_no_more_than_one_of_them(rng):
    """Every person twice in one family: the interval of the mean is that of the single persons."""
    values = rng.normal(0, 1, 800)
    single, twins = persons(values), persons(np.repeat(values, 2), group=np.repeat(np.arange(800), 2))
    as_if_apart = persons(np.repeat(values, 2))

    def width(found: Paired) -> float:
        row = paired_bootstrap(
            found.means(), found.n_groups, reference=0, resamples=4000, confidence=0.95, rng=np.random.default_rng(3)
        ).iloc[0]
        return float(row["high"] - row["low"])

    assert width(twins) == pytest.approx(width(single), rel=1e-9)
    assert width(as_if_apart) == pytest.approx(width(single) / np.sqrt(2), rel=0.06)


def test_mean_is_over_persons_whatever_the_size_of_families():
    found = persons([1, 3, 8], group=[0, 0, 1])
    assert found.means()(np.ones((1, 2)))[0, 0] == 4
    assert found.means()(np.array([[2.0, 1.0]]))[0, 0] == pytest.approx((2 * 4 + 8) / 5)


def test_one_person_has_a_value_but_no_interval():
    row = compare_means(persons([0.5], [0.7]), "a", Resampling(), np.random.default_rng(1)).iloc[1]
    assert row["difference"] == pytest.approx(0.2)
    assert row[["low", "high", "difference_low", "difference_high"]].isna().all()
    assert row["p"] == 1


def test_all_sign_patterns_of_few_persons_are_counted():
    """Five persons all better: 2 of 32 patterns are as extreme. Four of five better by 1, one worse by 1: 12 of 32."""
    p = flip_p(persons(np.zeros(5), np.full(5, 0.1), [1, 1, 1, 1, -1]))
    assert np.isnan(p[0])
    assert p[1:].tolist() == [2 / 32, 12 / 32]


def test_enumerated_p_is_scipys_permutation_test(rng):
    a, b = rng.normal(0, 1, 9), rng.normal(0.6, 1, 9)
    wanted = stats.permutation_test(
        (b - a,), lambda d: d.mean(), permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    ).pvalue
    assert flip_p(persons(a, b))[1] == pytest.approx(wanted)


def test_drawn_p_is_near_the_t_tests_for_normal_differences_and_never_zero(rng):
    d = rng.normal(0.18, 1, 200)
    p = flip_p(persons(np.zeros(200), d, np.full(200, 9.0)))
    assert p[1] == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.01)
    assert p[2] == pytest.approx(1 / 10_001)


def test_a_family_flips_as_one():
    found = persons(np.zeros(6), np.ones(6), group=[0, 0, 1, 1, 2, 2])
    assert flip_p(found)[1] == 2 / 8


def test_identical_conditions_have_p_one_and_no_difference():
    values = np.random.default_rng(4).normal(size=30)
    result = compare_means(persons(values, values), "a", Resampling(bootstrap=200), np.random.default_rng(5)).iloc[1]
    assert result[["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert result["p"] == 1


def test_holm_of_a_worked_example_and_what_is_no_test_stays_out():
    """0.01, 0.04, 0.03 by hand: 3 * 0.01, then 2 * 0.03, then the larger of that and 0.04."""
    assert holm([0.01, np.nan, 0.04, 0.03]).tolist() == pytest.approx([0.03, np.nan, 0.06, 0.06], nan_ok=True)
    assert np.isnan(holm([np.nan])).all()


def test_same_generator_gives_the_same_table(rng):
    found = persons(rng.normal(size=40), rng.normal(size=40))
    a, b = (compare_means(found, "a", Resampling(bootstrap=300), np.random.default_rng(6)) for _ in range(2))
    assert a.equals(b)
    assert not a.equals(compare_means(found, "a", Resampling(bootstrap=300), np.random.default_rng(7)))


def test_draws_then_runs_then_recordings_then_persons_are_averaged():
    rows = table(
        recording=["n1", "n1", "n1", "n2", "n3"],
        person=["p", "p", "p", "p", "q"],
        group=["f"] * 5,
        seed=["s1", "s1", "s2", "s1", "s1"],
        m=[0.0, 1.0, 1.0, 0.25, 0.9],
        c="all",
    )
    found = pair_up(rows, "c", "m")
    # n1: mean of 0.5 (two draws of s1) and 1 (s2); p: mean of 0.75 and 0.25; q alone; both of family f
    assert found.values[:, 0].tolist() == pytest.approx([0.5, 0.9])
    assert found.group.tolist() == [0, 0]


def test_the_same_names_in_two_cohorts_are_two_persons():
    rows = pd.DataFrame({"cohort": ["x", "y"], "recording": "r", "person": "p", "c": "all", "m": [0.1, 0.2]})
    assert pair_up(rows, "c", "m").n_groups == 2


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_cell_with_other_recordings_is_refused(missing):
    rows = table(recording=["n1", "n1", "n2", "n2"], person=["p", "p", "q", "q"], c=["a", "b", "a", "b"], m=0.5)
    rows = rows.drop(index=3) if missing is None else rows.assign(m=[0.5, 0.5, 0.5, missing])
    with pytest.raises(ValueError, match=r"x/q/q/n2 has no m"):
        pair_up(rows, "c", "m")


def test_conditions_keep_their_order_and_are_found_by_name():
    rows = table(recording="n", person="p", c=["z", "a", "m"], m=[3.0, 1.0, 2.0])
    found = pair_up(rows, "c", "m")
    assert found.names == ("z", "a", "m")
    assert found.values.tolist() == [[3.0, 1.0, 2.0]]

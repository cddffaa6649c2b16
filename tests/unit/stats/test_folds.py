"""Families stay together, and folds are alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.stats.folds import cohort_folds, grouped_folds


def folds_of(y, group=None, folds: int = 5, seed: int = 1) -> np.ndarray:
    y = np.asarray(y, float)
    group = np.arange(len(y)) if group is None else np.asarray(group)
    return grouped_folds(y, group, folds, np.random.default_rng(seed))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.floats(0, 90)), min_size=20, max_size=60), st.integers(2, 5))
def test_family_is_in_one_fold_and_nobody_is_left_out(rows, folds):
    group, y = (np.array(part) for part in zip(*rows, strict=True))
    fold = folds_of(y, group, folds)
    assert set(fold) <= set(range(folds))
    assert all(len(set(fold[group == g])) == 1 for g in set(group))


@pytest.mark.parametrize("n", [10, 23, 40])
@pytest.mark.parametrize("share", [None, 0.3])
def test_folds_of_single_persons_have_equal_sizes_up_to_one(n, share):
    y = np.random.default_rng(2).uniform(20, 80, n) if share is None else np.arange(n) < share * n
    sizes = np.bincount(folds_of(y), minlength=5)
    assert sizes.max() - sizes.min() <= 1


def test_folds_of_families_of_up_to_four_differ_by_less_than_a_family():
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(40), rng.integers(1, 5, 40))
    sizes = np.bincount(folds_of(rng.uniform(20, 80, len(group)), group))
    assert sizes.max() - sizes.min() <= 4


def test_classes_are_spread_evenly():
    y = np.arange(43) < 13
    men = np.bincount(folds_of(y)[y])
    assert men.max() - men.min() <= 1


def test_ages_are_spread_evenly():
    y = np.random.default_rng(1).uniform(20, 80, 100)
    fold = folds_of(y)
    means = [y[fold == k].mean() for k in range(5)]
    assert max(means) - min(means) < 3  # by chance: SD of a fold's mean is 17/sqrt(20) = 3.9 years


def test_class_with_as_many_persons_as_folds_is_in_every_fold():
    y = np.arange(50) < 5
    assert sorted(folds_of(y)[y]) == [0, 1, 2, 3, 4]


def test_draw_decides():
    y = np.random.default_rng(1).uniform(20, 80, 30)
    assert np.array_equal(folds_of(y), folds_of(y))
    assert not np.array_equal(folds_of(y), folds_of(y, seed=2))


def test_cohorts_are_numbered_by_name():
    assert cohort_folds(np.array(["shhs", "abc", "shhs", "mros"])).tolist() == [2, 0, 2, 1]

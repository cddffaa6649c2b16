"""Agreement measures against scikit-learn, and the three ways to count an absent stage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hypnoflow.stats.confusion import accuracy, cohen_kappa, confusion, f1_per_class, macro_f1, n_occurring

STAGES = range(5)


@st.composite
def pairs(draw) -> tuple[np.ndarray, np.ndarray]:
    """Truth, with unscored epochs, and prediction; any stage may be absent from either."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n = draw(st.integers(1, 100))
    truth = rng.choice(sorted(draw(st.sets(st.sampled_from(STAGES), min_size=1))), n).astype(np.uint8)
    predicted = rng.choice(sorted(draw(st.sets(st.sampled_from(STAGES), min_size=1))), n).astype(np.uint8)
    truth[1:][rng.random(n - 1) < 0.2] = 9
    return truth, predicted


@settings(max_examples=80, deadline=None)
@given(pairs())
def test_every_measure_equals_sklearns_over_scored_epochs(pair):
    truth, predicted = pair
    counts = confusion(truth, predicted)
    t, p = truth[truth != 9], predicted[truth != 9]
    assert np.array_equal(counts, sk.confusion_matrix(t, p, labels=STAGES))
    assert accuracy(counts) == pytest.approx(sk.accuracy_score(t, p))
    each = sk.f1_score(t, p, labels=STAGES, average=None, zero_division=0)
    assert np.allclose(f1_per_class(counts, "zero"), each)
    assert macro_f1(counts, "zero") == pytest.approx(each.mean())
    occurring = np.isin(STAGES, np.r_[t, p])
    assert macro_f1(counts, "skip") == pytest.approx(each[occurring].mean())
    assert macro_f1(counts, "one") == pytest.approx(np.where(occurring, each, 1).mean())
    if len(set(t) | set(p)) > 1:
        assert cohen_kappa(counts) == pytest.approx(sk.cohen_kappa_score(t, p), abs=1e-12)


def test_confusion_is_truth_by_prediction():
    counts = confusion(np.array([0, 0, 2, 9], np.uint8), np.array([0, 1, 2, 3], np.uint8))
    assert counts[0].tolist() == [1, 1, 0, 0, 0]
    assert counts[2, 2] == 1
    assert counts.sum() == 3


def test_absent_stage_is_skipped_or_one_or_zero():
    counts = confusion(np.array([0, 0, 2, 2], np.uint8), np.array([0, 2, 2, 2], np.uint8))
    present = [2 / 3, 4 / 5]  # W: 1 of 2 found; N2: 2 found, 1 too many
    assert f1_per_class(counts)[[0, 2]].tolist() == pytest.approx(present)
    assert np.isnan(f1_per_class(counts)[[1, 3, 4]]).all()
    assert macro_f1(counts, "skip") == pytest.approx(np.mean(present))
    assert macro_f1(counts, "one") == pytest.approx((sum(present) + 3) / 5)
    assert macro_f1(counts, "zero") == pytest.approx(sum(present) / 5)


def test_stages_that_occur_are_counted_in_truth_or_prediction():
    counts = confusion(np.array([0, 0, 2, 9], np.uint8), np.array([0, 3, 2, 4], np.uint8))
    assert n_occurring(counts) == 3  # W, N2 and, only predicted, N3; R is predicted where nothing is scored
    assert n_occurring(np.stack([counts, 0 * counts])).tolist() == [3, 0]


def test_stage_that_is_only_predicted_or_only_true_counts_as_zero_in_every_way():
    counts = confusion(np.array([0, 1], np.uint8), np.array([0, 3], np.uint8))
    for absent in ("skip", "one", "zero"):
        assert f1_per_class(counts, absent)[[1, 3]].tolist() == [0, 0]
    assert macro_f1(counts, "skip") == pytest.approx(1 / 3)


def test_stacked_counts_give_one_value_each():
    rng = np.random.default_rng(1)
    stack = rng.integers(0, 9, (4, 3, 5, 5))
    for measure in (accuracy, cohen_kappa, macro_f1):
        found = measure(stack)
        assert found.shape == (4, 3)
        assert found[2, 1] == pytest.approx(float(measure(stack[2, 1])))
    assert f1_per_class(stack).shape == (4, 3, 5)


def test_kappa_of_a_published_example():
    """Two readers of 50 proposals, 20 + 15 agreed, 5 and 10 not: kappa 0.40."""
    counts = np.zeros((5, 5), np.int64)
    counts[:2, :2] = [[20, 5], [10, 15]]
    assert cohen_kappa(counts) == pytest.approx(0.4)


def test_nothing_scored_gives_nan_and_one_stage_only_an_undefined_kappa():
    none = confusion(np.array([9, 9], np.uint8), np.array([0, 1], np.uint8))
    assert not none.any()
    for measure in (accuracy, cohen_kappa, macro_f1):
        assert np.isnan(measure(none))
    assert np.isnan(cohen_kappa(confusion(np.array([2, 2], np.uint8), np.array([2, 2], np.uint8))))


@pytest.mark.parametrize("stage", range(5))
def test_steps_that_the_network_left_unscored_count_in_no_cell(stage):
    truth = np.array([stage, stage, 9, 9], np.uint8)
    counts = confusion(truth, np.array([9, 2, 9, 2], np.uint8))
    assert counts.shape == (5, 5)
    assert counts[stage, 2] == 1
    assert counts.sum() == 1

"""ECE, risk and coverage by hand, in closed form, and against torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

from hypnoflow.evaluate.calibration import (
    N_BINS,
    area_under_risk_coverage,
    bin_sums,
    expected_calibration_error,
    reliability_table,
    risk_coverage,
    threshold_for,
)


def ece(confidence, correct):
    return float(expected_calibration_error(bin_sums(np.array(confidence), np.array(correct, bool))))


def test_ece_of_a_table_by_hand():
    # Bins of 1/15: 0.61 and 0.65 share (0.6, 0.667], one of two right: gap 0.63 - 0.5; 0.9 is alone and wrong;
    # 0.95 and 0.99 share (0.933, 1], both right: gap 1 - 0.97.
    found = ece([0.61, 0.65, 0.9, 0.95, 0.99], [1, 0, 0, 1, 1])
    assert found == pytest.approx((2 * 0.13 + 0.9 + 2 * 0.03) / 5)


def test_over_and_underconfidence_in_one_bin_cancel_but_not_across_bins():
    assert ece([0.62, 0.62, 0.62, 0.62], [1, 1, 1, 0]) == pytest.approx(0.13)
    assert ece([0.5] * 2 + [0.7] * 2, [1, 1, 0, 0]) == pytest.approx((2 * 0.5 + 2 * 0.7) / 4)


def test_bins_are_closed_above():
    sums = bin_sums(np.array([3 / 15, 0.2 + 1e-6, 1.0]), np.ones(3, bool))
    assert sums[:, 0].nonzero()[0].tolist() == [2, 3, 14]


def test_sure_and_right_has_no_error_and_sure_and_wrong_all():
    assert ece([1.0, 1.0], [1, 1]) == 0
    assert ece([1.0, 1.0], [0, 0]) == 1


def test_no_epochs_have_no_error():
    assert np.isnan(ece([], []))


def test_ece_is_torchmetrics(rng):
    p = rng.dirichlet(np.full(5, 0.4), 5000)
    stage = rng.integers(0, 5, 5000)
    found = ece(p.max(1), p.argmax(1) == stage)
    wanted = multiclass_calibration_error(torch.from_numpy(p), torch.from_numpy(stage), 5, n_bins=N_BINS, norm="l1")
    assert found == pytest.approx(float(wanted), abs=1e-6)


def test_labels_drawn_from_the_probabilities_are_calibrated(rng):
    confidence = rng.uniform(0.2, 1, 200_000)
    right = rng.random(200_000) < confidence
    assert ece(confidence, right) < 0.005
    assert ece(np.minimum(confidence + 0.1, 1), right) == pytest.approx(0.095, abs=0.005)  # less where cut off at 1


def test_sums_of_parts_add_up(rng):
    confidence, right = rng.uniform(0.2, 1, 300), rng.random(300) < 0.7
    parts = [bin_sums(confidence[i::3], right[i::3]) for i in range(3)]
    np.testing.assert_allclose(sum(parts), bin_sums(confidence, right))


def test_reliability_table_has_a_row_per_bin_with_epochs():
    rows = reliability_table(bin_sums(np.array([0.61, 0.65, 0.9]), np.array([True, False, False])))
    assert [row["n_epochs"] for row in rows] == [2, 1]
    assert rows[0]["confidence"] == pytest.approx(0.63)
    assert rows[0]["accuracy"] == 0.5
    assert (rows[0]["low"], rows[0]["high"]) == (9 / 15, 10 / 15)


def risk(confidence, correct):
    return risk_coverage(np.array(confidence, float), np.array(correct, bool))


def test_risk_at_each_coverage_by_hand():
    found = risk([0.6, 0.9, 0.7, 0.8], [0, 1, 1, 0])
    np.testing.assert_allclose(found, [0, 1 / 2, 1 / 3, 1 / 2])
    assert area_under_risk_coverage(found) == pytest.approx(1 / 3)


def test_epochs_of_equal_confidence_share_their_errors():
    np.testing.assert_allclose(risk([0.9, 0.5, 0.5, 0.5], [1, 0, 0, 1]), [0, 1 / 3, 4 / 9, 1 / 2])
    np.testing.assert_allclose(risk([0.5] * 4, [1, 0, 0, 0]), 0.75)


@given(st.lists(st.tuples(st.sampled_from([0.3, 0.5, 0.6, 0.9]), st.booleans()), min_size=1, max_size=30), st.randoms())
def test_the_order_of_epochs_does_not_matter(epochs, random):
    shuffled = random.sample(epochs, len(epochs))
    np.testing.assert_allclose(risk(*zip(*epochs, strict=True)), risk(*zip(*shuffled, strict=True)))


@pytest.mark.parametrize(("n", "wrong"), [(10, 0), (10, 3), (10, 10), (1000, 200)])
def test_aurc_of_a_perfect_and_of_the_worst_order_in_closed_form(n, wrong):
    k = np.arange(1, n + 1)
    best = np.mean(np.maximum(k - (n - wrong), 0) / k)
    worst = np.mean(np.minimum(k, wrong) / k)
    confidence = np.linspace(0.9, 0.3, n)
    assert area_under_risk_coverage(risk(confidence, k <= n - wrong)) == pytest.approx(best)
    assert area_under_risk_coverage(risk(confidence, k > wrong)) == pytest.approx(worst)


def test_all_kept_is_the_error_rate(rng):
    right = rng.random(500) < 0.7
    assert risk(rng.random(500), right)[-1] == pytest.approx(1 - right.mean())


def test_threshold_keeps_at_least_the_wanted_share():
    confidence = np.array([0.9, 0.5, 0.7, 0.6, 0.8])
    assert [threshold_for(confidence, share) for share in (0.2, 0.4, 0.41, 0.8, 1.0)] == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert threshold_for(np.array([0.9, 0.6, 0.6, 0.6]), 0.5) == 0.6  # equals stay together
    with pytest.raises(ValueError, match="no epoch"):
        threshold_for(np.array([]), 0.9)

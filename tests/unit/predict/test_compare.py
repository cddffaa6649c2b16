"""Errors under weights against scikit-learn, and bootstrap intervals against closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, mean_squared_error

from hypnoflow.predict.compare import Predictions, compare, errors, gather

N = 300


def numbers(*shifts_or_errors, n: int = N) -> Predictions:
    y = np.random.default_rng(1).uniform(20, 80, n)
    p = np.stack([y + e for e in shifts_or_errors])
    return Predictions(tuple(str(k + 1) for k in range(len(p))), y, p, False)


def classes(n: int = N) -> Predictions:
    rng = np.random.default_rng(2)
    y = (rng.random(n) < 0.3).astype(float)
    p = np.clip(np.stack([0.5 + k * (y - 0.5) + 0.4 * rng.standard_normal(n) for k in (0.2, 0.8)]), 0, 1)
    return Predictions(("1", "2"), y, p, True)


def interval(found: Predictions, resamples: int = 2000, confidence: float = 0.95, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return compare(found, resamples=resamples, confidence=confidence, rng=rng).set_index("condition")


def weights(n: int = N, k: int = 20) -> np.ndarray:
    return np.random.default_rng(4).multinomial(n, np.full(n, 1 / n), k).astype(float)


def test_error_of_numbers_is_sklearns_weighted_rmse():
    rng = np.random.default_rng(5)
    found = numbers(rng.normal(0, 5, N), rng.normal(1, 9, N))
    w = weights()
    wanted = [[np.sqrt(mean_squared_error(found.y, p, sample_weight=row)) for p in found.p] for row in w]
    assert np.allclose(errors(found, w), wanted)


def test_error_of_classes_is_one_minus_sklearns_weighted_macro_f1():
    found, w = classes(), weights()
    wanted = [
        [1 - f1_score(found.y, p >= 0.5, sample_weight=row, average="macro", zero_division=0) for p in found.p]
        for row in w
    ]
    assert np.allclose(errors(found, w), wanted)


def test_probability_of_one_half_counts_as_class_one():
    found = Predictions(("1",), np.array([1.0, 0.0]), np.array([[0.5, 0.49]]), True)
    assert errors(found, np.ones((1, 2)))[0, 0] == 0


def test_class_that_a_resample_lacks_altogether_is_left_out():
    found = Predictions(("1",), np.array([1.0, 0.0, 0.0]), np.array([[0.9, 0.1, 0.8]]), True)
    only_first = errors(found, np.array([[3.0, 0.0, 0.0]]))
    assert only_first[0, 0] == 0


def test_identical_predictions_differ_by_exactly_nothing():
    same = np.random.default_rng(5).normal(0, 8, N)
    row = interval(numbers(same, same)).loc["2"]
    assert row[["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert row["error_low"] < row["error"] < row["error_high"]


def test_difference_of_the_reference_to_itself_is_nothing():
    row = interval(classes()).loc["1"]
    assert row[["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]


def test_constant_shifts_give_a_difference_without_width():
    table = interval(numbers(np.full(N, 3.0), np.full(N, 5.0)))
    assert table.loc["2", ["error", "error_low", "error_high"]].tolist() == pytest.approx([5, 5, 5])
    wanted = pytest.approx([2, 2, 2])
    assert table.loc["2", ["difference", "difference_low", "difference_high"]].tolist() == wanted


@pytest.mark.parametrize("confidence, z", [(0.95, 1.959964), (0.8, 1.281552)])
def test_interval_of_a_paired_difference_is_that_of_the_delta_method(confidence, z):
    """Difference of root mean squares: SE from the influence (e^2 - m) / (2 sqrt m) of each person."""
    rng = np.random.default_rng(6)
    common = rng.normal(0, 6, 1500)
    e1, e2 = common + rng.normal(0, 4, 1500), common + rng.normal(0, 3, 1500)
    m1, m2 = np.mean(e1**2), np.mean(e2**2)
    influence = (e2**2 - m2) / (2 * np.sqrt(m2)) - (e1**2 - m1) / (2 * np.sqrt(m1))
    se = influence.std() / np.sqrt(1500)
    row = interval(numbers(e1, e2, n=1500), confidence=confidence).loc["2"]
    assert row["difference"] == pytest.approx(np.sqrt(m2) - np.sqrt(m1))
    assert row["difference_low"] == pytest.approx(row["difference"] - z * se, abs=0.12 * z * se)
    assert row["difference_high"] == pytest.approx(row["difference"] + z * se, abs=0.12 * z * se)


def test_pairing_makes_the_interval_of_the_difference_narrower_than_that_of_the_errors():
    rng = np.random.default_rng(7)
    common = rng.normal(0, 8, N)
    row = interval(numbers(common, common + rng.normal(0, 1, N))).loc["2"]
    assert row["difference_high"] - row["difference_low"] < 0.4 * (row["error_high"] - row["error_low"])


def test_better_predictions_have_a_difference_below_zero():
    assert interval(classes()).loc["2", "difference_high"] < 0


def test_same_generator_gives_the_same_intervals_and_blocks_do_not_matter():
    found = classes()
    assert interval(found, 600).equals(interval(found, 600))
    assert len(interval(found, 251)) == 2


def test_reference_is_found_by_name_not_by_place():
    found = numbers(np.full(N, 5.0), np.full(N, 3.0))
    found = Predictions(("baseline", "1"), found.y, found.p, False)
    assert interval(found)["difference"].to_dict() == pytest.approx({"baseline": 2, "1": 0})


def long_table() -> pd.DataFrame:
    rows = [
        {"person": person, "condition": condition, "repeat": repeat, "y": y, "prediction": y + shift + repeat}
        for repeat in (0, 1)
        for condition, shift in (("baseline", 10.0), ("2", 1.0), ("1", 4.0))
        for person, y in (("b", 50.0), ("a", 30.0))
    ]
    return pd.DataFrame(rows)


def test_repeats_are_averaged_by_person_and_conditions_keep_their_order():
    found = gather(long_table(), False)
    assert found.names == ("baseline", "2", "1")
    assert found.y.tolist() == [30, 50]
    assert found.p.tolist() == [[40.5, 60.5], [31.5, 51.5], [34.5, 54.5]]

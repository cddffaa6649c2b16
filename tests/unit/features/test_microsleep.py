"""Micro-sleeps in wake, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hypnoflow.config.features import Features
from hypnoflow.features import Hypnogram, features

SECONDS = 30
W, N1, N2, N3, R = range(5)


def compute(*parts: tuple[int, int], **options) -> dict[str, float]:
    """Compute of parts: a stage and its seconds."""
    stage = np.concatenate([np.full(n, code, np.uint8) for code, n in parts])
    return features.get("microsleeps").compute(Hypnogram(stage, SECONDS, slice(0, 0)), Features(**options))


def found(*parts: tuple[int, int], **options) -> float:
    awake_h = sum(n for code, n in parts if code == W) / 3600
    return round(compute(*parts, **options)["microsleeps_per_h"] * awake_h, 9)


@pytest.mark.parametrize(("length", "counts"), [(1, 1), (15, 1), (16, 0)])
def test_sleep_in_wake_counts_from_1_to_15_s(length, counts):
    assert found((W, 60), (N1, length), (W, 60)) == counts


@pytest.mark.parametrize(("before", "after", "counts"), [(5, 5, 1), (4, 5, 0), (5, 4, 0)])
def test_wake_of_5_s_is_needed_on_both_sides(before, after, counts):
    assert found((N2, 60), (W, before), (N1, 3), (W, after), (N2, 60)) == counts


def test_stages_in_a_row_are_one_sleep():
    assert found((W, 60), (N1, 3), (N2, 4), (R, 5), (W, 60)) == 1
    assert found((W, 60), (N1, 8), (N2, 8), (W, 60)) == 0


def test_sleep_at_the_ends_or_beside_the_unscored_is_not_enclosed():
    assert found((N1, 3), (W, 60), (N1, 3)) == 0
    assert found((W, 60), (N1, 3), (9, 10), (N1, 3), (W, 60)) == 0


def test_length_and_share_by_hand():
    result = compute((W, 50), (N1, 2), (W, 34), (N2, 4), (W, 10))
    assert result["microsleep_mean_s"] == 3
    assert result["microsleep_share"] == pytest.approx(6 / 100)


def test_options_move_the_bounds():
    assert found((W, 60), (N1, 20), (W, 60), microsleep_s=(1, 20)) == 1
    assert found((W, 60), (N1, 3), (W, 1), microsleep_wake_s=0) == 1


def test_wake_without_micro_sleep_is_zero_and_no_wake_is_nan():
    awake = compute((W, 60))
    assert (awake["microsleeps_per_h"], awake["microsleep_share"]) == (0, 0)
    assert np.isnan(awake["microsleep_mean_s"])
    assert np.isnan(list(compute((N2, 60)).values())).all()

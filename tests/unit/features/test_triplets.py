"""Stage triplets against a brute-force count and the definition in AnySleep's paper (papers.md, section 1.10)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.config.features import Features
from hypnoflow.features import TRIPLETS, Hypnogram, features, triplet_counts, triplet_rates

W, N1, N2, N3, R = range(5)


def brute_force(stage: list[int], steps_per_epoch: int, block_epochs: int) -> list[dict[tuple[int, ...], int]]:
    """Count by walking through each block, one dictionary per block."""
    width, found = steps_per_epoch * block_epochs, []
    for start in range(0, len(stage), width):
        block = stage[start : start + width]
        counts: dict[tuple[int, ...], int] = {}
        for i in range(len(block) - 2):
            a, b, c = block[i : i + 3]
            if a != b and b != c and 9 not in (a, b, c):
                counts[a, b, c] = counts.get((a, b, c), 0) + 1
        found.append(counts)
    return found


def as_dicts(counts: np.ndarray) -> list[dict[tuple[int, ...], int]]:
    return [{TRIPLETS[i]: int(row[i]) for i in np.flatnonzero(row)} for row in counts]


def test_there_are_80_triplets_in_lexicographic_order():
    assert len(TRIPLETS) == 80
    assert list(TRIPLETS) == sorted(set(TRIPLETS))
    assert TRIPLETS[0] == (0, 1, 0)
    assert TRIPLETS[-1] == (4, 3, 4)
    assert all(a != b and b != c for a, b, c in TRIPLETS)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 9]), max_size=80), st.sampled_from([1, 2, 4]), st.integers(1, 12))
def test_counts_are_those_of_brute_force(stage, f, block_epochs):
    counts = triplet_counts(np.array(stage, np.uint8), f, block_epochs)
    assert as_dicts(counts) == brute_force(stage, f, block_epochs)


def test_first_and_last_may_be_the_same_stage():
    assert as_dicts(triplet_counts(np.array([W, N1, W, N2], np.uint8), 1)) == [{(W, N1, W): 1, (N1, W, N2): 1}]


def test_blocks_do_not_share_triplets():
    stage = np.array([W, N1, N2, N3, N2, W], np.uint8)
    assert as_dicts(triplet_counts(stage, 1, 3)) == [{(W, N1, N2): 1}, {(N3, N2, W): 1}]


def test_last_partial_block_is_kept():
    counts = triplet_counts(np.array([W] * 180 + [W, N1, W], np.uint8), 1)
    assert as_dicts(counts) == [{}, {(W, N1, W): 1}]


def test_blocks_last_90_min_at_every_resolution():
    for f in (1, 2, 128):
        assert triplet_counts(np.zeros(181 * f, np.uint8), f).shape == (2, 80)
        assert triplet_counts(np.zeros(180 * f, np.uint8), f).shape == (1, 80)


def test_triplets_with_an_unscored_step_are_not_counted():
    assert not triplet_counts(np.array([W, 9, N1, 9, N2, W], np.uint8), 1).any()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_steps_hold_no_triplet(n):
    assert not triplet_counts(np.arange(n).astype(np.uint8), 1).any()


def test_rates_are_per_hour_of_sleep_period_and_ignore_what_lies_outside():
    f = 2
    inside = np.tile([N2, N1], 60)  # 30 min at 15 s: 59 of N2-N1-N2, 59 of N1-N2-N1
    stage = np.concatenate([[W, R, W, R], inside, [W, N3, W, N3]]).astype(np.uint8)
    found = features.get("triplets").compute(Hypnogram(stage, f, slice(2, 62)), Features())
    assert found["triplet_N2_N1_N2"] == pytest.approx(59 / 0.5)
    assert found["triplet_N1_N2_N1"] == pytest.approx(59 / 0.5)
    assert sum(found.values()) == pytest.approx(118 / 0.5)


def test_block_length_of_the_config_is_in_minutes():
    stage = np.tile([N2, N1, R], 40).astype(np.uint8)  # 60 min; 6-min blocks of 12 epochs hold 10 triplets each
    found = features.get("triplets").compute(Hypnogram(stage, 1, slice(0, 120)), Features(block_min=6))
    assert sum(found.values()) == pytest.approx(100)


def test_rates_of_a_block_are_per_scored_hour():
    stage = np.array([N2, N1] * 60 + [N2, 9] * 30, np.uint8)  # two blocks of an hour at 30 s, one half unscored
    rates = triplet_rates(stage, 1, 120)
    assert rates.shape == (2, 80)
    assert rates[0, TRIPLETS.index((N2, N1, N2))] == 59
    assert not rates[1].any()
    stage[120:] = 9
    assert np.isnan(triplet_rates(stage, 1, 120)[1]).all()


def test_rates_leave_unscored_time_out():
    stage = np.array([N2, N1] * 30 + [9] * 60, np.uint8)
    found = features.get("triplets").compute(Hypnogram(stage, 1, slice(0, 120)), Features())
    assert found["triplet_N2_N1_N2"] == pytest.approx(29 / 0.5)

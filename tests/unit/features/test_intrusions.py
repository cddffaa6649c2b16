"""Arousal-like runs of wake by the rule of AnySleep (papers.md, section 1.9)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.config.features import Features
from hypnoflow.features import Hypnogram, features, wake_intrusions
from hypnoflow.features.intrusions import periodic_share
from hypnoflow.types import RESOLUTIONS, UNSCORED

W, N2 = 0, 2


def stages(step_s: float, *parts: tuple[str, float]) -> np.ndarray:
    """Lay parts such as ("sleep", 30.0), in seconds, on steps."""
    return np.concatenate([np.full(round(s / step_s), W if what == "wake" else N2) for what, s in parts]).astype(
        np.uint8
    )


def found(f: int, *parts: tuple[str, float]) -> list[tuple[float, float]]:
    table = wake_intrusions(stages(30 / f, ("sleep", 60), *parts, ("sleep", 60)), f)
    return [(round(o - 60, 6), round(d, 6)) for o, d in zip(table["onset_s"], table["duration_s"], strict=True)]


SECONDS = 30  # predictions per 30 s that make steps of one second


@pytest.mark.parametrize("length, counts", [(1, 0), (2, 0), (3, 1), (8, 1), (15, 1), (16, 0), (40, 0)])
def test_run_counts_from_3_to_15_s_both_included(length, counts):
    assert found(SECONDS, ("wake", length)) == [(0, length)] * counts


@pytest.mark.parametrize("f", RESOLUTIONS)
def test_bounds_hold_at_every_resolution(f):
    step = 30 / f
    shortest, longest = int(np.ceil(3 / step - 1e-9)), int(15 / step + 1e-9)
    steps = {shortest - 1, shortest, longest, longest + 1} - {0}
    for k in steps:
        counts = 3 - 1e-9 <= k * step <= 15 + 1e-9
        assert found(f, ("wake", k * step)) == ([(0, round(k * step, 6))] if counts else []), k


def test_hypnogram_at_30_s_holds_no_intrusion_and_at_15_s_single_steps_do():
    assert found(1, ("wake", 30), ("sleep", 60), ("wake", 60)) == []
    assert found(2, ("wake", 15), ("sleep", 30), ("wake", 30)) == [(0, 15)]


@pytest.mark.parametrize("gap, events", [(1, [(0, 11)]), (2, [(0, 4)])])
def test_runs_merge_over_a_gap_of_at_most_a_tenth_of_the_merged_length(gap, events):
    # 4 + 1 + 6 = 11 s: the gap of 1 s is less than 1.1 s. 4 + 2 + 6 = 12 s: 2 s is more than 1.2 s, and the second
    # run has no 10 s of sleep before it.
    assert found(SECONDS, ("wake", 4), ("sleep", gap), ("wake", 6)) == events


def test_gap_of_exactly_a_tenth_merges():
    assert found(SECONDS, ("wake", 4), ("sleep", 1), ("wake", 5)) == [(0, 10)]


def test_runs_whose_merged_length_exceeds_15_s_stay_apart():
    assert found(SECONDS, ("wake", 8), ("sleep", 1), ("wake", 8)) == [(0, 8)]
    assert found(SECONDS, ("wake", 7), ("sleep", 1), ("wake", 7)) == [(0, 15)]


def test_short_runs_merge_into_one_that_is_long_enough():
    f = 960  # steps of 1/32 s
    assert found(f, ("wake", 2.5), ("sleep", 0.25), ("wake", 0.5)) == [(0, 3.25)]
    assert found(f, ("wake", 2.5), ("sleep", 0.5), ("wake", 0.5)) == []


def test_merged_run_can_merge_with_the_next():
    f = 960
    # 3 + .5 + 3 = 6.5 s (gap .5 <= .65), then 6.5 + 1 + 3 = 10.5 s (gap 1 <= 1.05)
    assert found(f, ("wake", 3), ("sleep", 0.5), ("wake", 3), ("sleep", 1), ("wake", 3)) == [(0, 10.5)]


@pytest.mark.parametrize("sleep, events", [(9, [(0, 5)]), (10, [(0, 5), (15, 5)]), (30, [(0, 5), (35, 5)])])
def test_second_run_needs_10_s_of_sleep_since_the_one_before(sleep, events):
    assert found(SECONDS, ("wake", 5), ("sleep", sleep), ("wake", 5)) == events


def test_a_run_that_does_not_count_itself_still_ends_the_sleep_before_the_next():
    assert found(SECONDS, ("wake", 1), ("sleep", 6), ("wake", 5)) == []
    assert found(SECONDS, ("wake", 40), ("sleep", 6), ("wake", 5)) == []
    assert found(SECONDS, ("wake", 40), ("sleep", 12), ("wake", 5)) == [(52, 5)]


@pytest.mark.parametrize("before, counts", [(0, 0), (9, 0), (10, 1)])
def test_first_run_needs_10_s_of_sleep_from_the_start(before, counts):
    table = wake_intrusions(stages(1, ("sleep", before), ("wake", 5), ("sleep", 30)), SECONDS)
    assert len(table) == counts


def test_run_at_the_end_counts():
    assert len(wake_intrusions(stages(1, ("sleep", 20), ("wake", 5)), SECONDS)) == 1


def test_no_wake_and_no_steps_give_an_empty_table():
    for stage in (np.array([], np.uint8), np.full(100, N2, np.uint8)):
        table = wake_intrusions(stage, SECONDS)
        assert list(table.columns) == ["onset_s", "duration_s"]
        assert table.empty


def test_options_move_each_bound():
    stage = stages(1, ("sleep", 20), ("wake", 2), ("sleep", 20), ("wake", 20), ("sleep", 5), ("wake", 5))
    lengths = {
        (): [],
        ("min_s", 2.0): [2],
        ("max_s", 20.0): [20],
        ("sleep_before_s", 5.0): [5],
    }
    for key, wanted in lengths.items():
        options = dict([key]) if key else {}
        assert wake_intrusions(stage, SECONDS, **options)["duration_s"].tolist() == wanted


def compute(stage: np.ndarray, period: slice) -> dict[str, float]:
    return features.get("intrusions").compute(Hypnogram(stage, SECONDS, period), Features())


def test_rate_is_per_hour_of_sleep_within_the_sleep_period():
    stage = stages(
        1, ("wake", 60), ("sleep", 885), ("wake", 5), ("sleep", 880), ("wake", 10), ("sleep", 20), ("wake", 600)
    )
    result = compute(stage, slice(2, 62))  # 60 s to 1860 s
    assert result["intrusions_per_h"] == pytest.approx(2 / (1785 / 3600))
    assert result["intrusion_mean_s"] == pytest.approx(7.5)
    assert result["intrusion_sd_s"] == pytest.approx(5 / 2**0.5)
    assert result["intrusion_interval_s"] == 885
    assert np.isnan(result["intrusion_interval_cv"])


def test_intrusions_belong_to_the_stage_they_come_from():
    stage = stages(1, ("sleep", 100), ("wake", 5), ("sleep", 95), ("wake", 5), ("sleep", 95))
    stage[105:200] = 4
    result = compute(stage, slice(0, 10))
    assert result["intrusions_per_h_N2"] == pytest.approx(1 / (195 / 3600))
    assert result["intrusions_per_h_R"] == pytest.approx(1 / (95 / 3600))
    assert np.isnan(result["intrusions_per_h_N1"])
    assert np.isnan(result["intrusions_per_h_N3"])


def test_intrusions_at_equal_distances_are_periodic_and_have_no_variation():
    stage = np.concatenate([stages(1, ("sleep", 35), ("wake", 5))] * 10)
    result = compute(stage, slice(0, 13))
    assert result["intrusion_interval_s"] == 40
    assert result["intrusion_interval_cv"] == 0
    assert result["intrusion_periodic_share"] == 1


def test_periodicity_counts_rows_of_three_intervals_above_10_s_and_up_to_90_s():
    between = np.array([20, 20, 200, 20, 90, 20, 10, 30, 30, 30, 30.0])
    assert periodic_share(between, 10, 90) == pytest.approx(7 / 11)
    assert periodic_share(np.array([20.0, 20.0]), 10, 90) == 0


def test_no_intrusion_is_a_rate_of_zero_without_a_length_and_no_sleep_gives_nan():
    result = compute(np.full(900, N2, np.uint8), slice(0, 30))
    assert result["intrusions_per_h"] == result["intrusions_per_h_N2"] == 0
    assert np.isnan(result["intrusion_mean_s"])
    assert all(np.isnan(v) for v in compute(np.full(900, W, np.uint8), slice(0, 0)).values())


def by_walking(stage: np.ndarray, f: int, min_s=3.0, max_s=15.0, gap=0.1, sleep_before_s=10.0) -> list[tuple]:
    """The published rule step by step in exact steps: collect runs, merge from the left, then drop."""
    runs, last, merged, found = [], None, [], []
    for i, code in enumerate(stage.tolist()):
        if code == W and last != W:
            runs.append([i, i + 1])
        elif code == W:
            runs[-1][1] = i + 1
        last = code
    for start, stop in runs:
        length = (stop - merged[-1][0]) * 30 / f if merged else None
        if merged and length <= max_s + 1e-9 and (start - merged[-1][1]) * 30 / f <= gap * length + 1e-9:
            merged[-1][1] = stop
        else:
            merged.append([start, stop])
    for i, (start, stop) in enumerate(merged):
        before = merged[i - 1][1] if i else 0
        if (start - before) * 30 / f >= sleep_before_s - 1e-9 and min_s <= (stop - start) * 30 / f <= max_s:
            found.append((start * 30 / f, (stop - start) * 30 / f))
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=40), st.sampled_from([30, 60, 128]))
def test_rule_equals_walking_through_the_steps(parts, f):
    stage = np.concatenate([[N2], *(np.full(n, W if awake else N2) for awake, n in parts)]).astype(np.uint8)
    table = wake_intrusions(stage, f, sleep_before_s=0.5, min_s=0.5)
    wanted = by_walking(stage, f, sleep_before_s=0.5, min_s=0.5)
    np.testing.assert_allclose(table.to_numpy(), np.array(wanted).reshape(-1, 2))


@pytest.mark.parametrize(("asleep_s", "counts"), [(0, 0), (9, 0), (10, 1), (30, 1)])
def test_a_gap_is_no_sleep_before_an_intrusion(asleep_s, counts):
    stage = stages(1.0, ("sleep", 60), ("sleep", 40), ("sleep", asleep_s), ("wake", 5), ("sleep", 60))
    stage[60:100] = UNSCORED
    assert len(wake_intrusions(stage, SECONDS)) == counts

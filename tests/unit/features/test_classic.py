"""Classic sleep statistics, by hand and against YASA."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.features import classic_statistics

yasa = pytest.importorskip("yasa")
W, N1, N2, N3, R = range(5)
SHARES = ("n1_percent", "n2_percent", "n3_percent", "r_percent")


def test_night_by_hand():
    stage = np.array([W] * 20 + [N1] * 10 + [N2] * 60 + [W] * 4 + [N3] * 40 + [R] * 30 + [W] * 36, np.uint8)  # 100 min
    found = classic_statistics(stage, 30)
    assert found == pytest.approx(
        {
            "tst_min": 70.0,
            "se_percent": 70.0,
            "sol_min": 10.0,
            "waso_min": 20.0,
            "rem_latency_min": (10 + 60 + 4 + 40) / 2,
            "n1_percent": 100 / 14,
            "n2_percent": 600 / 14,
            "n3_percent": 400 / 14,
            "r_percent": 300 / 14,
        }
    )


def test_latency_wake_and_sleep_add_up_to_the_time_in_bed():
    stage = np.random.default_rng(1).integers(0, 5, 500).astype(np.uint8)
    found = classic_statistics(stage, 30)
    assert found["sol_min"] + found["waso_min"] + found["tst_min"] == pytest.approx(250)
    assert sum(found[name] for name in SHARES) == pytest.approx(100)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 20))
def test_statistics_equal_yasas_where_the_definitions_coincide(stages, wake_before):
    """YASA's WASO ends with the last sleep, hence hypnograms that end asleep."""
    stage = np.array([W] * wake_before + stages + [N2], np.uint8)
    names = np.array(["WAKE", "N1", "N2", "N3", "REM"])[stage]
    theirs = yasa.Hypnogram(names, n_stages=5, freq="30s").sleep_statistics()
    ours = classic_statistics(stage, 30)
    pairs = {"tst_min": "TST", "se_percent": "SE", "waso_min": "WASO", "sol_min": "SOL", "n1_percent": "%N1",
             "n2_percent": "%N2", "n3_percent": "%N3", "r_percent": "%REM"}  # fmt: skip
    for own, their in pairs.items():
        assert ours[own] == pytest.approx(theirs[their], abs=0.01), own


@pytest.mark.parametrize("f", [2, 16, 128, 3840])
def test_repeating_each_epoch_changes_no_statistic(f):
    stage = np.array([W, W, N1, N2, W, N3, N3, R, N2, W], np.uint8)
    fine = classic_statistics(np.repeat(stage, f), 30 / f)
    assert fine == pytest.approx(classic_statistics(stage, 30))


def test_rem_latency_counts_from_sleep_onset_and_is_zero_for_sleep_that_begins_in_rem():
    assert classic_statistics(np.array([W, W, R, N2], np.uint8), 30)["rem_latency_min"] == 0
    assert classic_statistics(np.array([W, N2, W, R], np.uint8), 30)["rem_latency_min"] == 1


def test_without_rem_its_latency_is_undefined_and_its_share_zero():
    found = classic_statistics(np.array([W, N2], np.uint8), 30)
    assert np.isnan(found["rem_latency_min"])
    assert found["r_percent"] == 0


def test_without_sleep_there_is_no_share_and_the_latency_is_the_whole_recording():
    found = classic_statistics(np.full(120, W, np.uint8), 30)
    assert (found["tst_min"], found["se_percent"], found["sol_min"]) == (0, 0, 60)
    assert all(np.isnan(found[name]) for name in ("waso_min", "rem_latency_min", *SHARES))


def test_unscored_steps_are_neither_sleep_nor_wake():
    found = classic_statistics(np.array([9, W, N2, 9, W, N2, 9], np.uint8), 30)
    assert found["tst_min"] == 1
    assert found["waso_min"] == 0.5
    assert found["sol_min"] == 1

"""Classic sleep statistics, by hand and against YASA."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
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
            "tib_min": 100.0,
            "spt_min": 72.0,
            "tst_min": 70.0,
            "waso_min": 2.0,
            "se_percent": 70.0,
            "sme_percent": 100 * 70 / 72,
            "sfi_per_h": 2 / (70 / 60),
            "sol_min": 10.0,
            "sol_5min_min": 10.0,
            "rem_latency_min": (10 + 60 + 4 + 40) / 2,
            "n1_percent": 100 / 14,
            "n2_percent": 600 / 14,
            "n3_percent": 400 / 14,
            "r_percent": 300 / 14,
        }
    )


def test_sleep_period_is_sleep_and_wake_within_it():
    stage = np.random.default_rng(1).integers(0, 5, 500).astype(np.uint8)
    found = classic_statistics(stage, 30)
    assert found["waso_min"] + found["tst_min"] == pytest.approx(found["spt_min"])
    assert sum(found[name] for name in SHARES) == pytest.approx(100)


def test_persistent_sleep_is_five_minutes_of_any_stages_without_a_break():
    broken = [N1] * 9 + [W] + [N2] * 9 + [9] + [N1, N2] * 5 + [W] * 3
    assert classic_statistics(np.array(broken, np.uint8), 30)["sol_5min_min"] == 10
    assert np.isnan(classic_statistics(np.array(broken[:20], np.uint8), 30)["sol_5min_min"])


# Ours → YASA's; those of a stage are in YASA's minutes, too.
YASA = {"tib_min": "TIB", "spt_min": "SPT", "tst_min": "TST", "waso_min": "WASO", "se_percent": "SE",
        "sme_percent": "SME", "sfi_per_h": "SFI", "sol_min": "SOL", "sol_5min_min": "SOL_5min", "n1_percent": "%N1",
        "n2_percent": "%N2", "n3_percent": "%N3", "r_percent": "%REM"}  # fmt: skip
CODES = {0: "WAKE", 1: "N1", 2: "N2", 3: "N3", 4: "REM", 9: "UNS"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 1, 2, 2, 3, 4, 9]), min_size=1, max_size=80), st.integers(0, 12))
def test_statistics_equal_yasas_on_the_same_hypnogram(stages, repeats):
    stage = np.array(stages + [N2] * repeats, np.uint8)
    assume((stage != 9).any())  # YASA calls a night that nobody scored one of 0 min of sleep
    theirs = yasa.Hypnogram([CODES[code] for code in stage], n_stages=5, freq="30s").sleep_statistics()
    ours = classic_statistics(stage, 30)
    for own, their in YASA.items():
        assert ours[own] == pytest.approx(theirs[their], abs=1e-4, nan_ok=True), own
    # The manual counts REM latency from sleep onset, YASA from the start of the recording.
    assert ours["rem_latency_min"] == pytest.approx(theirs["Lat_REM"] - theirs["SOL"], abs=2e-4, nan_ok=True)
    assert set(ours) == {*YASA, "rem_latency_min"}


def test_simulated_night_equals_yasas():
    night = yasa.simulate_hypnogram(tib=480, seed=42)
    stage = night.as_int().to_numpy().astype(np.uint8)
    theirs, ours = night.sleep_statistics(), classic_statistics(stage, 30)
    assert {own: ours[own] for own in YASA} == pytest.approx(
        {own: theirs[their] for own, their in YASA.items()}, abs=1e-4
    )


@pytest.mark.parametrize("f", [2, 16, 128, 3840])
def test_repeating_each_epoch_changes_no_statistic(f):
    stage = np.array([W, W, N1, N2, W, N3, N3, R, N2, W], np.uint8)
    fine = classic_statistics(np.repeat(stage, f), 30 / f)
    assert fine == pytest.approx(classic_statistics(stage, 30), nan_ok=True)


def test_rem_latency_counts_from_sleep_onset_and_is_zero_for_sleep_that_begins_in_rem():
    assert classic_statistics(np.array([W, W, R, N2], np.uint8), 30)["rem_latency_min"] == 0
    assert classic_statistics(np.array([W, N2, W, R], np.uint8), 30)["rem_latency_min"] == 1


def test_without_rem_its_latency_is_undefined_and_its_share_zero():
    found = classic_statistics(np.array([W, N2], np.uint8), 30)
    assert np.isnan(found["rem_latency_min"])
    assert found["r_percent"] == 0


def test_without_sleep_only_times_and_efficiency_are_known():
    found = classic_statistics(np.full(120, W, np.uint8), 30)
    known = {"tib_min": 60, "spt_min": 0, "tst_min": 0, "se_percent": 0}
    assert {name: found[name] for name in known} == known
    assert all(np.isnan(value) for name, value in found.items() if name not in known)


def test_unscored_steps_are_neither_sleep_nor_wake():
    found = classic_statistics(np.array([9, W, N2, 9, W, N2, 9], np.uint8), 30)
    assert (found["tst_min"], found["waso_min"], found["sol_min"]) == (1, 0.5, 1)


def test_no_recording_has_no_statistics():
    found = classic_statistics(np.array([], np.uint8), 30)
    assert found["tib_min"] == 0
    assert np.isnan(found["se_percent"])


def test_night_without_a_scored_epoch_has_no_sleep_time_rather_than_none_of_it():
    found = classic_statistics(np.full(120, 9, np.uint8), 30)
    assert found["tib_min"] == 60
    assert all(np.isnan(value) for name, value in found.items() if name != "tib_min")

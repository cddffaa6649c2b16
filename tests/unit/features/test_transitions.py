"""Changes of stage, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hypnoflow.config.features import Features
from hypnoflow.features import Hypnogram, features
from hypnoflow.features.transitions import transition_counts
from hypnoflow.night.stage_runs import runs_of

W, N1, N2, N3, R = range(5)
NIGHT = np.array([W, W, N1, N2, N2, N2, W, N2, N3, N3, 9, N3, N2, R, W, W], np.uint8)
# Within the sleep period, epochs 2 to 13: N1-N2, N2-W, W-N2, N2-N3, then a gap, N3-N2, N2-R; 11 scored epochs.


def compute(group: str, stage: np.ndarray, f: int = 1, period: slice | None = None, **options) -> dict[str, float]:
    return features.get(group).compute(Hypnogram(stage, f, period or slice(2, 14)), Features(**options))


def test_counts_are_those_of_walking_through_the_steps():
    rng = np.random.default_rng(5)
    stage = rng.choice([W, N1, N2, N3, R, 9], 2000).astype(np.uint8)
    wanted = np.zeros((5, 5), int)
    for a, b in zip(stage[:-1], stage[1:], strict=True):
        if a != b and a != 9 and b != 9:
            wanted[a, b] += 1
    np.testing.assert_array_equal(transition_counts(runs_of(stage)), wanted)


def test_rates_are_per_hour_of_the_stage_that_is_left():
    found = compute("transitions", NIGHT)
    assert found["stage_changes_per_h"] == pytest.approx(6 / (11 / 120))
    assert found["rate_N2_W"] == found["rate_N2_N3"] == found["rate_N2_R"] == pytest.approx(1 / (5 / 120))
    assert found["rate_N3_N2"] == pytest.approx(1 / (3 / 120))
    assert found["rate_W_N2"] == pytest.approx(120)
    assert found["rate_W_N1"] == 0  # that change lies before the sleep period
    assert found["rate_R_W"] == 0  # and that one after it


def test_probabilities_are_shares_of_the_changes_out_of_a_stage():
    found = compute("transitions", NIGHT)
    assert found["probability_N2_W"] == pytest.approx(1 / 3)
    assert found["probability_N1_N2"] == 1
    assert found["probability_N2_N1"] == 0
    assert np.isnan([found[f"probability_R_{s}"] for s in ("W", "N1", "N2", "N3")]).all()


def test_stage_that_never_occurs_has_no_rate():
    stage = np.array([N2, N3] * 10, np.uint8)
    found = compute("transitions", stage, period=slice(0, 20))
    assert np.isnan(found["rate_W_N1"])
    assert found["rate_N2_N3"] == pytest.approx(10 / (10 / 120))


@pytest.mark.parametrize("f", [2, 128])
def test_repeating_each_epoch_changes_no_rate(f):
    fine = compute("transitions", np.repeat(NIGHT, f), f)
    assert fine == pytest.approx(compute("transitions", NIGHT), nan_ok=True)


def test_shallowing_counts_changes_to_wake_and_to_n1_from_deeper_sleep():
    stage = np.array([N1, N2, N1, W, N1, R, N1, N3, W, N2], np.uint8)  # to N1: 2, to W: 2; 8 epochs of sleep
    assert compute("fragmentation", stage, period=slice(0, 10))["shallowing_per_h"] == pytest.approx(4 / (8 / 120))


def test_fragments_are_bouts_up_to_the_limit():
    stage = np.repeat(np.array([N2, W, N2, R, N2], np.uint8), [2, 1, 1, 3, 1])
    found = compute("fragmentation", stage, period=slice(0, 8))
    assert found["fragment_share_N2"] == pytest.approx(2 / 4)
    assert found["fragment_share_W"] == 1
    assert found["fragment_share_R"] == 0
    assert np.isnan(found["fragment_share_N3"])
    assert compute("fragmentation", stage, period=slice(0, 8), short_bout_s=60)["fragment_share_N2"] == 1

"""Measures of the hypnodensity, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hypnoflow.config.features import Features
from hypnoflow.features import Hypnogram, features
from hypnoflow.features.density import describe, transition_widths
from hypnoflow.night.hypnogram import density_at

SECONDS = 30  # steps per 30 s that last a second
W, N1, N2, N3, R = range(5)


def rows(*parts: tuple[dict[int, float], int]) -> np.ndarray:
    """Return a hypnodensity of parts: probabilities by stage, and for how many steps."""
    p = np.zeros((sum(n for _, n in parts), 5))
    at = 0
    for of_stage, n in parts:
        for code, value in of_stage.items():
            p[at : at + n, code] = value
        at += n
    return p


def compute(p: np.ndarray, **options) -> dict[str, float]:
    stage = np.nan_to_num(p).argmax(1).astype(np.uint8)
    return features.get("hypnodensity").compute(
        Hypnogram(stage, SECONDS, slice(0, len(p) // SECONDS), p), Features(**options)
    )


def test_certain_sleep_has_no_entropy_and_does_not_move():
    found = compute(rows(({N2: 1}, 60)))
    assert (found["hd_H"], found["hd_C"], found["hd_MG"], found["hd_TV"], found["hd_TD"]) == (0, 1, 1, 0, 0)
    assert np.isnan(found["hd_TW"])
    assert found["hd_H_N2"] == 0
    assert np.isnan(found["hd_H_R"])


def test_even_stages_have_the_entropy_of_their_number():
    found = compute(rows((dict.fromkeys(range(5), 0.2), 30), ({N2: 0.5, N3: 0.5}, 30)))
    assert found["hd_H"] == pytest.approx((np.log2(5) + 1) / 2)
    assert found["hd_C"] == pytest.approx(0.35)
    assert found["hd_MG"] == pytest.approx(0)
    assert found["hd_MIX_N2_N3"] == pytest.approx((0.4 + 1) / 2)
    assert found["hd_MIX_N1_W"] == found["hd_MIX_R_N1"] == pytest.approx(0.2)


def test_total_variation_is_the_probability_that_moves_per_minute():
    found = compute(rows(({W: 1}, 30), ({W: 0.25, N1: 0.75}, 30)))
    assert found["hd_TV"] == pytest.approx(0.75 / 59 * 60)
    assert found["hd_TV_N1"] == pytest.approx(0.75 / 30 * 60)
    assert found["hd_TV_W"] == 0
    assert found["hd_TD"] == pytest.approx(1 / (59 / 3600))


def test_transition_width_is_the_time_of_low_margin_around_a_change():
    p = rows(({N2: 1}, 20), ({N2: 0.6, N3: 0.4}, 3), ({N2: 0.4, N3: 0.6}, 4), ({N3: 1}, 20), ({R: 1}, 13))
    assert transition_widths(describe(p), 0.5).tolist() == [7, 0]
    assert compute(p)["hd_TW"] == pytest.approx(3.5)
    assert transition_widths(describe(p), 0.1).tolist() == [0, 0]


def test_a_low_margin_on_one_side_of_a_change_counts():
    p = rows(({N2: 1}, 5), ({N2: 0.4, N3: 0.6}, 4), ({N3: 1}, 5), ({N3: 0.6, R: 0.4}, 2), ({R: 1}, 5))
    assert transition_widths(describe(p), 0.5).tolist() == [4, 2]


def test_hours_begin_with_the_sleep_period():
    p = rows(({N2: 0.5, N3: 0.5}, 3600), ({N2: 1}, 1800))
    stage = np.full(len(p) + 60, N2, np.uint8)
    p = np.concatenate([rows(({W: 0.5, N1: 0.5}, 60)), p])
    found = features.get("hypnodensity").compute(Hypnogram(stage, SECONDS, slice(2, 182), p), Features())
    assert found["hd_H_hour1"] == pytest.approx(1)
    assert found["hd_H_hour2"] == 0
    assert np.isnan(found["hd_H_hour3"])


def test_gaps_are_left_out():
    p = rows(({N2: 0.5, N3: 0.5}, 30), ({N2: 1}, 60))
    p[30:60] = np.nan
    found = compute(p)
    assert found["hd_H"] == pytest.approx(0.5)
    assert found["hd_TV"] == 0  # what lies across the gap is no movement
    assert found["hd_TD"] == 0


def test_without_a_stored_density_all_is_nan():
    found = features.get("hypnodensity").compute(Hypnogram(np.full(60, N2, np.uint8), 1, slice(0, 60)), Features())
    assert np.isnan(list(found.values())).all()


@pytest.mark.parametrize(("stored", "wanted"), [(30, 1), (30, 2), (64, 16), (16, 16)])
def test_coarser_steps_are_means_of_the_stored_ones(stored, wanted):
    p = np.random.default_rng(1).dirichlet(np.ones(5), 4 * stored)
    found = density_at(p, stored, wanted)
    np.testing.assert_allclose(found, p.reshape(4 * wanted, stored // wanted, 5).mean(1), atol=1e-12)


def test_steps_that_straddle_stored_ones_take_their_shares():
    p = rows(*(({c: 1.0}, 1) for c in (W, N1, N2)), ({R: 1}, 27))
    found = density_at(p, 30, 20)  # of 1.5 s
    np.testing.assert_allclose(found[0], [2 / 3, 1 / 3, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found[1], [0, 1 / 3, 2 / 3, 0, 0], atol=1e-12)
    assert found.shape == (20, 5)


def test_finer_steps_than_stored_are_unknown():
    assert density_at(np.full((30, 5), 0.2), 30, 32) is None


def test_steps_in_a_gap_are_unknown_and_those_mostly_known_sum_to_one():
    p = np.full((60, 5), 0.2)
    p[20:50] = np.nan
    found = density_at(p, 30, 1)
    np.testing.assert_allclose(found[0], 0.2)
    assert np.isnan(found[1]).all()


def test_nights_without_a_step_have_none():
    assert density_at(np.zeros((0, 5)), 30, 1).shape == (0, 5)

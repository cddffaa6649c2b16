"""Robust scaling against closed forms, and back to microvolts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import iqr as scipy_iqr

from hypnoflow.harmonize.scale import robust_scale

CLIP = 20.0
QUANTUM = CLIP / 32767


def decoded(scaled):
    return scaled.x * QUANTUM


def test_zero_to_a_hundred_has_median_50_and_iqr_50():
    scaled = robust_scale(np.arange(101.0), CLIP)
    assert (scaled.median, scaled.iqr, scaled.clipped_share) == (50, 50, 0)
    np.testing.assert_allclose(decoded(scaled), (np.arange(101) - 50) / 50, atol=0.51 * QUANTUM)


def test_median_and_iqr_are_those_of_scipy(rng):
    x = rng.standard_t(3, 10_001).astype(np.float32) * 30
    scaled = robust_scale(x, CLIP)
    assert scaled.median == pytest.approx(np.median(x), rel=1e-5, abs=1e-4)
    assert scaled.iqr == pytest.approx(scipy_iqr(x), rel=1e-5)


def test_an_electrode_offset_of_a_millivolt_does_not_reach_the_clip(rng):
    noise = rng.normal(0, 20, 50_000)
    with_offset = robust_scale((noise + 1000).astype(np.float32), CLIP)
    assert with_offset.clipped_share == 0
    assert with_offset.median == pytest.approx(1000, abs=1)
    np.testing.assert_allclose(decoded(with_offset), decoded(robust_scale(noise, CLIP)), atol=1e-3)


def test_what_passes_the_clip_is_cut_there_and_counted(rng):
    x = rng.normal(0, 1, 10_000)
    x[:100] = 1e6
    x[100:300] = -1e6
    scaled = robust_scale(x, CLIP)
    assert scaled.clipped_share == pytest.approx(0.03)
    assert (scaled.x[:100] == 32767).all()
    assert (scaled.x[100:300] == -32767).all()
    assert np.abs(scaled.x[300:]).max() < 32767


@given(offset=st.floats(-5000, 5000), spread=st.floats(0.1, 1000), clip=st.floats(5, 50))
def test_microvolts_come_back_within_half_a_quantum(offset, spread, clip):
    x = np.random.default_rng(1).uniform(-spread, spread, 999) + offset
    scaled = robust_scale(x, clip)
    back = scaled.x * (clip / 32767) * scaled.iqr + scaled.median
    assert np.abs(back - x).max() <= 0.5 * clip / 32767 * scaled.iqr + 1e-5 * (abs(offset) + spread)


def test_half_the_samples_at_one_value_have_no_spread():
    with pytest.raises(ValueError, match="half of the samples"):
        robust_scale(np.concatenate([np.zeros(80), np.arange(20.0)]), CLIP)


def test_a_fallback_stands_in_for_a_spread_of_zero_and_for_nothing_else():
    constant_mostly = np.concatenate([np.full(90, 97.0), np.full(10, 93.0)])
    scaled = robust_scale(constant_mostly, CLIP, fallback_iqr=2.0)
    np.testing.assert_allclose(decoded(scaled)[[0, -1]], [0, -2], atol=QUANTUM)
    assert robust_scale(np.arange(101.0), CLIP, fallback_iqr=2.0).iqr == 50

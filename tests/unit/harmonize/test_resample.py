"""Resampling keeps frequency, phase, time and length."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.harmonize.resample import resample

RATES = [(100, 128), (200, 128), (250, 128), (199.2, 128), (256, 128), (125, 128), (50, 128), (500, 10)]


def sine(freq_hz, rate_hz, n, phase=0.7):
    return np.sin(2 * np.pi * freq_hz * np.arange(n) / rate_hz + phase)


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_a_sine_keeps_frequency_phase_and_amplitude(rate_in, rate_out):
    freq = 0.1 * min(rate_in, rate_out)
    y = resample(sine(freq, rate_in, int(20 * rate_in)), rate_in_hz=rate_in, rate_out_hz=rate_out)
    expected = sine(freq, rate_out, len(y))
    inner = slice(2 * rate_out, -2 * rate_out)
    assert np.abs(y - expected)[inner].max() < 0.01


@pytest.mark.parametrize("rate_in", [200, 250, 199.2, 256])
def test_what_lies_above_half_the_new_rate_is_gone(rate_in):
    y = resample(sine(0.45 * rate_in, rate_in, int(10 * rate_in)), rate_in_hz=rate_in, rate_out_hz=128)
    assert np.abs(y[256:-256]).max() < 0.02


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
@pytest.mark.parametrize("n", [1001, 3000])
def test_the_length_is_that_of_the_new_rate_rounded_up(rate_in, rate_out, n):
    y = resample(np.ones(n), rate_in_hz=rate_in, rate_out_hz=rate_out)
    assert len(y) == math.ceil(n * rate_out / rate_in - 1e-9)


def test_a_constant_stays_one_to_its_ends():
    y = resample(np.full(3000, 1000.0), rate_in_hz=100, rate_out_hz=128)
    np.testing.assert_allclose(y, 1000, rtol=1e-3)


def test_an_equal_rate_changes_nothing(rng):
    x = rng.normal(size=500).astype(np.float32)
    np.testing.assert_array_equal(resample(x, rate_in_hz=128, rate_out_hz=128), x)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(500, 2500), rates=st.sampled_from(RATES[:7]))
def test_an_impulse_stays_at_its_time(at, rates):
    rate_in, rate_out = rates
    x = np.zeros(3000)
    x[at] = 1
    y = resample(x, rate_in_hz=rate_in, rate_out_hz=rate_out)
    assert abs(np.argmax(y) - at * rate_out / rate_in) <= 0.5 + 1e-6


def test_the_result_is_single_precision():
    assert resample(np.ones(100), rate_in_hz=100, rate_out_hz=128).dtype == np.float32


@pytest.mark.parametrize(("rate_in", "rate_out"), [(0, 128), (-1, 128), (100, 0)])
def test_a_rate_that_is_not_positive_is_refused(rate_in, rate_out):
    with pytest.raises(ValueError, match="positive"):
        resample(np.ones(10), rate_in_hz=rate_in, rate_out_hz=rate_out)


@pytest.mark.parametrize("rate_hz", [256.0123, 199.98, 512.33])
def test_an_odd_rate_does_not_drift_over_two_hours(rate_hz):
    x = np.sin(2 * np.pi * 10 * np.arange(int(7200 * rate_hz)) / rate_hz)
    y = resample(x.astype(np.float32), rate_in_hz=rate_hz, rate_out_hz=128)
    wanted = np.sin(2 * np.pi * 10 * np.arange(len(y)) / 128)
    assert np.abs(y - wanted)[1000:-1000].max() < 0.002

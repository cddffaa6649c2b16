"""What the quality gate costs beside the resampling that follows it."""

from __future__ import annotations

import time

import numpy as np
from scipy.signal import resample_poly

from hypnoflow.config.harmonize import Quality
from hypnoflow.harmonize.alike import compare_channels
from hypnoflow.harmonize.quality import assess_channel

CHANNELS, HOURS, RATE_HZ = 12, 8, 256


def seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def test_judging_a_twelve_channel_night_against_resampling_it(rng):
    x = (20 * rng.standard_normal((CHANNELS, HOURS * 3600 * RATE_HZ), np.float32)).round(1)
    low = np.clip(1000 * x[:, ::2], -32767, 32767).astype(np.int16)
    labels = [f"C{i}-M2" for i in range(CHANNELS)]
    options = Quality()
    assess_channel(x[0], rate_hz=RATE_HZ, kind="eeg", options=options)  # warm up
    judged = seconds(lambda: [assess_channel(c, rate_hz=RATE_HZ, kind="eeg", options=options) for c in x])
    compared = seconds(lambda: compare_channels(low, labels, rate_hz=RATE_HZ / 2, kind="eeg", options=options))
    resampled = seconds(lambda: [resample_poly(c, 1, 2, padtype="median") for c in x])
    ratio = (judged + compared) / resampled
    print(f"\n{CHANNELS} channels x {HOURS} h at {RATE_HZ} Hz, s of CPU:")
    print(f"epochs judged {judged:.2f}, channels compared {compared:.2f}, resampled {resampled:.2f}")
    print(f"the gate costs {ratio:.2f} of the resampling")
    assert ratio < 1

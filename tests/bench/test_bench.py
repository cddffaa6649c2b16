"""Measurements against a baseline in the same run: printed, and bounded only as ratios."""

from __future__ import annotations

import resource
import time

import numpy as np

from hypnoflow.config.simulate import Simulate
from hypnoflow.seeds import generator
from hypnoflow.simulate.dialects import dialects
from hypnoflow.simulate.persons import draw_person
from hypnoflow.simulate.recorder import Recorder, Visit


def seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def test_simulating_a_twelve_channel_night_against_drawing_as_much_white_noise(tmp_path):
    dialect = dialects.get("dodh")
    person = draw_person(dialect.population, 0, generator(1, "person"))
    recorder = Recorder(Visit("dodh", "night", person, 1), Simulate(night_h=8.0), 1, dialect.rate_hz, 50.0)
    took = seconds(lambda: dialect.write(tmp_path, recorder))
    n = int(recorder.duration_s * dialect.rate_hz) * 16
    noise = seconds(lambda: generator(1, "noise").standard_normal(n, np.float32))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n8-h night, 12 EEG + 4 at 250 Hz, to disk: {took:.1f} s of CPU, "
        f"{took / noise:.1f} times white noise of that size"
    )
    print(f"peak memory of the process {peak_mb:.0f} MB")
    assert took / noise < 40

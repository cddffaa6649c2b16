"""The hidden truth of a simulated night, as it lies beside a simulated cohort's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hypnoflow.types import Event, StageArray

TRUTH_HZ = 8


@dataclass(frozen=True, slots=True)
class Truth:
    """Truth of one recording.

    stage : ndarray of uint8, shape (sample,), at `TRUTH_HZ`
        Stage codes; an arousal or a brief awakening is W here.
    events : tuple of Event
        Arousals, apneas, hypopneas, desaturations in order of onset.
    """

    stage: StageArray
    events: tuple[Event, ...]

    @property
    def duration_s(self) -> float:
        return len(self.stage) / TRUTH_HZ


def read_truth(path: Path) -> Truth:
    """Read the truth of a simulated recording."""
    with np.load(path) as data:
        events = zip(data["onset_s"], data["duration_s"], data["kind"], strict=True)
        return Truth(data["stage"], tuple(Event(float(o), float(d), str(k)) for o, d, k in events))

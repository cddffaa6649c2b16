"""The hidden truth beside a simulated cohort's files. To read it takes nothing of what simulates, nor its imports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hypnoflow.simulate.night import Night
from hypnoflow.types import Event

if TYPE_CHECKING:
    from hypnoflow.simulate.recorder import Recorder


def write_truth(path: Path, recorder: Recorder) -> None:
    """Write what no scorer sees: stages at `TRUTH_HZ`, events, faults of channels, and the person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    person = recorder.visit.person
    events = recorder.night.events
    np.savez_compressed(
        path,
        stage=recorder.night.stage,
        onset_s=np.array([e.onset_s for e in events]),
        duration_s=np.array([e.duration_s for e in events]),
        kind=np.array([e.kind for e in events], dtype="U24"),
        channel=np.array(list(recorder.faults), dtype="U16"),
        fault=np.array(list(recorder.faults.values()), dtype="U16"),
        age_y=person.age_y,
        male=person.male,
        ahi_per_h=recorder.events_per_h("apnea", "hypopnea"),
        person=person.number,
    )


def read_truth(path: Path) -> Night:
    """Read the truth of a simulated recording."""
    with np.load(path) as data:
        events = zip(data["onset_s"], data["duration_s"], data["kind"], strict=True)
        return Night(data["stage"], tuple(Event(float(o), float(d), str(k)) for o, d, k in events))

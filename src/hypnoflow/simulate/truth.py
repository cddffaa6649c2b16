"""The hidden truth beside a simulated cohort's files, as `hypnoflow.night.truth` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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

"""Stages as EDF+ annotations, and the hypnodensity as EDF signals, on the recording's own clock.

Texts: "Sleep stage W", "N1", "N2", "N3", "R" and "?" are those of EDF+ for AASM stages (https://www.edfplus.info).
Signals: PP_W to PP_R are the names of Luna's POPS and HDSTATS (https://zzz.bwh.harvard.edu/luna/ref/pops/).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

import numpy as np
from edfio import Edf, EdfAnnotation, EdfSignal, Recording

from hypnoflow.export.night import INTRUSION, ScoredNight
from hypnoflow.facts.files import replacing
from hypnoflow.types import EPOCH_S, STAGES

YEARS = range(1985, 2085)  # that two digits can mean in an EDF header


def write_annotations(night: ScoredNight, base: Path) -> list[Path]:
    """Write ``{base}.scored.edf``: an EDF+ file of annotations only, one per epoch and one per intrusion."""
    stages = [EdfAnnotation(i * EPOCH_S, EPOCH_S, f"Sleep stage {name}") for i, name in enumerate(night.epochs)]
    intrusions = [EdfAnnotation(onset_s, duration_s, INTRUSION) for onset_s, duration_s in night.intrusions]
    annotations = sorted([*stages, *intrusions], key=lambda each: each.onset)  # at one moment, the stage first
    return [_write(base.with_name(f"{base.name}.scored.edf"), night, [], annotations=annotations)]


def write_posteriors(night: ScoredNight, base: Path) -> list[Path]:
    """Write ``{base}.hypnodensity.edf``: PP_W to PP_R from 0 to 1 in records of 30 s; all are 0 in gaps."""
    probability = np.nan_to_num(night.probability[night.display].astype(np.float64), nan=0.0).clip(0, 1)
    signals = [
        EdfSignal(
            np.ascontiguousarray(p),
            night.display / EPOCH_S,
            label=f"PP_{stage}",
            transducer_type="posterior, all 0 in gaps",
            physical_range=(0, 1),
        )
        for stage, p in zip(STAGES, probability.T, strict=True)
    ]
    path = base.with_name(f"{base.name}.hypnodensity.edf")
    return [_write(path, night, signals, data_record_duration=float(EPOCH_S))]


def _write(path: Path, night: ScoredNight, signals: Sequence[EdfSignal], **content: Any) -> Path:
    """Write a file that starts when the recording does; a day of a year that EDF has no digits for is left out."""
    start = night.start
    day: date | None = start.date() if start and start.year in YEARS else None
    about = Recording(startdate=day, equipment_code="hypnoflow", additional=["simulated"] if night.simulated else [])
    with replacing(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Creating EDF")  # EDF+ keeps parts of a second: what is wanted
        Edf(signals, starttime=start.time() if start else time(), recording=about, **content).write(partial)
    return path

"""What every dialect provides, and the EDF writing that several share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from edfio import Edf, EdfAnnotation, EdfSignal, Patient, Recording

from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder


class Dialect(Protocol):
    """A cohort's way of writing recordings and tables.

    One in which persons come back also has ``visits(person) -> int``, how many visits such a person makes.
    """

    population: Population
    rate_hz: float  # at which the head is drawn
    mains_hz: float

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        """Return the recording's name, as the cohort's index will call it."""

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        """Write one recording's signals and annotations; return its row for `write_tables`."""

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        """Write the cohort's demographics from the rows of all recordings, in order."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One signal of an EDF file.

    x : ndarray, shape (sample,), in `unit`
    span : float
        Physical range is -span to +span, or `limits` where given.
    """

    label: str
    x: np.ndarray
    rate_hz: float
    unit: str = "uV"
    span: float = 250.0
    limits: tuple[float, float] | None = None
    digital: tuple[int, int] = (-32768, 32767)


def write_edf(
    path: Path,
    traces: Sequence[Trace],
    *,
    start: dt.datetime,
    record_s: float,
    annotations: Sequence[EdfAnnotation] = (),
) -> None:
    """Write an EDF (EDF+ with `annotations`) file with edfio."""
    signals = []
    for trace in traces:
        low, high = trace.limits or (-trace.span, trace.span)
        signals.append(
            EdfSignal(
                np.clip(trace.x, low, high).astype(np.float64),
                trace.rate_hz,
                label=trace.label,
                physical_dimension=trace.unit,
                physical_range=(low, high),
                digital_range=trace.digital,
            )
        )
    edf = Edf(
        signals,
        patient=Patient(code="X"),
        recording=Recording(startdate=start.date()),
        starttime=start.time(),
        data_record_duration=record_s if signals else None,
        annotations=annotations or None,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    edf.write(path)


def runs(labels: Sequence[str], epoch_s: float = 30) -> list[tuple[float, float, str]]:
    """Return (onset_s, duration_s, label) of each stretch of equal labels."""
    result: list[tuple[float, float, str]] = []
    start = 0
    for i in range(1, len(labels) + 1):
        if i == len(labels) or labels[i] != labels[start]:
            result.append((start * epoch_s, (i - start) * epoch_s, labels[start]))
            start = i
    return result

"""Sleep-EDF telemetry: a placebo and a temazepam night, and a hypnogram that begins late and leaves blanks.

ST-subjects.xls has one row per person under two header rows, and codes sex the other way round than the cassette
part. Its column names are those that public readers of the real table ask for; the sheet's name is not known.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import xlwt
from edfio import EdfAnnotation

from hypnoflow.simulate.dialect import Trace, runs, write_edf
from hypnoflow.simulate.dialects._sedf import TWELVE_BIT, labels
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

NUMBERS = (1, 2, *range(4, 23), 24)  # of the 22 real persons; simulated ones beyond that go on from 25
SCORERS = "AAAAAEEEEEJMMOOOPRRRRW"  # how often each scorer occurs
HEADERS = (
    ("Subject - age - sex", "", "", "Placebo night", "", "Temazepam night", ""),
    ("Nr", "Age", "M1/F2", "night nr", "lights off", "night nr", "lights off"),
)


def number_of(person: Person) -> int:
    """Return the two-digit number of a person."""
    return NUMBERS[person.number] if person.number < len(NUMBERS) else person.number + 3


class SedfSt:
    """People with mild difficulty falling asleep; ST7ssNJ0: ss the person, N the night."""

    population = Population((18, 79), 0.32, 1.5, 0.5)
    rate_hz = 100.0
    mains_hz = 50.0

    def visits(self, person: Person) -> int:
        """Return how many visits a person makes who comes back."""
        return 2

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"ST7{number_of(person):02d}{visit}"

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        rng, visit = recorder.rng("dialect"), recorder.visit
        start = dt.datetime(1994, 7, 12, 22, 30) + dt.timedelta(minutes=int(rng.integers(0, 120)))
        folder = root / "sleep-telemetry"
        write_edf(folder / f"{visit.recording}J0-PSG.edf", self._traces(recorder), start=start, record_s=30)
        scorer = str(rng.choice(list(SCORERS)))
        spans = self._spans(labels(recorder.scored(), rng), rng)
        write_edf(
            folder / f"{visit.recording}J{scorer}-Hypnogram.edf",
            [],
            start=start,
            record_s=1,
            annotations=[EdfAnnotation(onset, duration, text) for onset, duration, text in spans],
        )
        return {
            "person": visit.person.number,
            "number": number_of(visit.person),
            "age": int(visit.person.age_y),
            "sex": 1 if visit.person.male else 2,
            "night": visit.visit,
            "lights_off": ((start.hour * 60 + start.minute + 5) / 1440) % 1,
        }

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        persons: dict[int, dict[str, Any]] = {row["number"]: row for row in rows}
        lights_off = {(row["number"], row["night"]): row["lights_off"] for row in rows}
        lines: list[tuple[Any, ...]] = [*HEADERS]
        for number, row in persons.items():
            placebo = 1 + row["person"] % 2  # the order of the two nights is balanced over persons
            nights = (placebo, 3 - placebo)
            cells = [cell for night in nights for cell in (night, lights_off.get((number, night), ""))]
            lines.append((number, row["age"], row["sex"], *cells))
        book = xlwt.Workbook()
        sheet = book.add_sheet("ST_patients")
        for i, line in enumerate(lines):
            for j, cell in enumerate(line):
                if cell != "":
                    sheet.write(i, j, cell)
        book.save(str(root / "ST-subjects.xls"))

    @staticmethod
    def _traces(recorder: Recorder) -> list[Trace]:
        kw: dict[str, Any] = {"digital": TWELVE_BIT}
        marker = np.full(int(recorder.duration_s), 900.0)
        return [
            Trace("EEG Fpz-Cz", recorder.derivation("Fpz", "Cz"), 100, **kw),
            Trace("EEG Pz-Oz", recorder.derivation("Pz", "Oz"), 100, **kw),
            Trace("EOG horizontal", recorder.derivation("E1", "E2"), 100, span=1000, **kw),
            Trace("EMG submental", recorder.chin(), 100, **kw),
            Trace("Marker", marker, 1, unit="", span=2048, **kw),
        ]

    @staticmethod
    def _spans(texts: list[str], rng: np.random.Generator) -> list[tuple[float, float, str]]:
        """Return (onset_s, duration_s, text) of what the scorer wrote: not the first minutes, nor a gap or two."""
        blank = np.zeros(len(texts), bool)
        blank[: rng.integers(1, 5)] = True
        for _ in range(rng.integers(0, 3)):
            gap = int(rng.integers(0, len(texts)))
            blank[gap : gap + rng.integers(1, 3)] = True
        written = ["" if empty else text for empty, text in zip(blank, texts, strict=True)]
        return [span for span in runs(written) if span[2]]


DIALECT = SedfSt()

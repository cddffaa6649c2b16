"""Sleep-EDF cassette: EDF in 30-s records of 12-bit samples, and an EDF+ hypnogram that outlasts it."""

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


class SedfSc:
    """Healthy volunteers at home, two nights; SC4ssN: ss the person, N the night."""

    population = Population((25, 90), 0.48, 1.5, 0.5)
    rate_hz = 100.0
    mains_hz = 50.0

    def visits(self, person: Person) -> int:
        """Return how many visits a person makes who comes back."""
        return 2

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"SC4{person.number:02d}{visit}"

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        rng, visit = recorder.rng("dialect"), recorder.visit
        minutes = int(rng.integers(0, 180))
        start = dt.datetime(1989, 4, 24, 21, 0) + dt.timedelta(minutes=minutes)
        folder = root / "sleep-cassette"
        write_edf(folder / f"{visit.recording}E0-PSG.edf", self._traces(recorder, rng), start=start, record_s=30)
        scorer = str(rng.choice(list("CMJPAV")))
        stages = labels(recorder.scored(), rng)
        # The last stretch runs past the end of the signals, as it does in the real files.
        overrun_s = 30 * int(rng.integers(0, 120))
        spans = [*runs(stages), (len(stages) * 30.0, 600.0 + overrun_s, "Sleep stage ?")]
        write_edf(
            folder / f"{visit.recording}E{scorer}-Hypnogram.edf",
            [],
            start=start,
            record_s=1,
            annotations=[EdfAnnotation(onset, duration, text) for onset, duration, text in spans],
        )
        return {
            "subject": visit.person.number,
            "night": visit.visit,
            "age": int(visit.person.age_y),
            "sex (F=1)": 2 if visit.person.male else 1,
            "LightsOff": ((start.hour * 60 + start.minute + 5) / 1440) % 1,
        }

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        book = xlwt.Workbook()
        sheet = book.add_sheet("SC_patients")
        for column, name in enumerate(rows[0] if rows else ("subject", "night", "age", "sex (F=1)", "LightsOff")):
            sheet.write(0, column, name)
            for line, row in enumerate(rows, start=1):
                sheet.write(line, column, row[name])
        book.save(str(root / "SC-subjects.xls"))

    @staticmethod
    def _traces(recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        seconds = int(recorder.duration_s)
        chin = recorder.chin()
        envelope = np.sqrt(np.square(chin[: seconds * 100]).reshape(seconds, 100).mean(1))
        temperature = 37.0 + 0.2 * np.sin(np.arange(seconds) / 7000)
        kw: dict[str, Any] = {"digital": TWELVE_BIT}
        return [
            Trace("EEG Fpz-Cz", recorder.derivation("Fpz", "Cz"), 100, **kw),
            Trace("EEG Pz-Oz", recorder.derivation("Pz", "Oz"), 100, **kw),
            Trace("EOG horizontal", recorder.derivation("E1", "E2"), 100, span=1000, **kw),
            Trace("Resp oro-nasal", 500 * recorder.breathing(1)["airflow"], 1, unit="", span=2048, **kw),
            Trace("EMG submental", envelope, 1, limits=(-5, 100), **kw),
            Trace("Temp rectal", temperature, 1, unit="DegC", limits=(34, 40), **kw),
            Trace("Event marker", np.full(seconds, 900.0), 1, unit="", span=2048, **kw),
        ]


DIALECT = SedfSc()

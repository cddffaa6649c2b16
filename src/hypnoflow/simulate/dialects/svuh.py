"""St Vincent's (UCDDB): EDF named ``.rec``, stages and respiratory events as text, a Holter beside each.

Texts name respiratory events by the clock, in whole seconds; where the columns begin is known, the words of the three
lines above them are not. The Holter is cut to a minute here.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import xlwt

from hypnoflow.simulate.dialect import Trace, write_edf
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder
from hypnoflow.types import N3, StageArray, W

NUMBERS = tuple(number for number in range(2, 29) if number not in (4, 16))
CODES = np.array([0, 2, 3, 5, 1])  # of W, S1, S2, S4 and REM; S3 is 4
UNDOCUMENTED = 8
EVENTS = {
    "hypopnea": ("HYP-O", "HYP-C", "HYP-M"),
    "apnea_obstructive": ("APNEA-O",),
    "apnea_central": ("APNEA-C",),
    "apnea_mixed": ("APNEA-M",),
}
# Columns begin at 0, 10, 19, 26, 36, 44, 52, 57, 63 and 72.
HEADER = (
    f"{'':36}{'Desaturation':<16}\r\n"
    f"{'':63}{'B/T':<9}{'B/T':<13}\r\n"
    f"{'Time':<10}{'Type':<9}{'PB/CS':<7}{'Duration':<10}{'Low':<8}{'%Drop':<8}{'Snr':<5}{'Arsl':<6}{'Rate':<9}Change\r\n"
)
HOLTER_S = 60
COLUMNS = (
    "S/No", "Study Number", "Height (cm)", "Weight (kg)", "Gender", "PSG Start Time", "PSG AHI", "BMI", "Age",
    "Epworth Sleepiness Score", "Study Duration (hr)", "Sleep Efficiency (%)", "", "No of data blocks in EDF",
)  # fmt: skip


class Svuh:
    """Patients suspected of sleep apnea; one night, scored by Rechtschaffen and Kales."""

    population = Population((28, 68), 0.84, 17.0, 0.8)
    rate_hz = 128.0
    mains_hz = 50.0

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        beyond = person.number - len(NUMBERS)
        number = NUMBERS[person.number] if beyond < 0 else NUMBERS[-1] + 1 + beyond
        return f"ucddb{number:03d}"

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        rng, name = recorder.rng("dialect"), recorder.visit.recording
        start = dt.datetime(2002, 9, 20, 22, 30) + dt.timedelta(seconds=int(rng.integers(0, 7200)))
        write_edf(root / f"{name}.rec", self._traces(recorder, rng), start=start, record_s=1)
        holter = [Trace(f"chan {k}", recorder.ecg(128)[: 128 * HOLTER_S] / k, 128, span=5000) for k in (1, 2, 3)]
        write_edf(root / f"{name}_lifecard.edf", holter, start=dt.datetime(2000, 1, 1), record_s=1)
        codes = _codes(recorder.scored(), rng)
        (root / f"{name}_stage.txt").write_bytes("".join(f"{code}\r\n" for code in codes).encode())
        lines = _event_lines(recorder, start, rng)
        text = HEADER + "".join(line + "\r\n" for line in lines) + "\r\n\x1a"
        (root / f"{name}_respevt.txt").write_bytes(text.encode())
        return self._row(recorder, start, codes, rng)

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        book = xlwt.Workbook()
        sheet = book.add_sheet("Sheet1")
        unique = {row["Study Number"]: row for row in rows}
        for j, column in enumerate(COLUMNS):
            if column:
                sheet.write(0, j, column)
                for i, row in enumerate(unique.values(), start=1):
                    sheet.write(i, j, i if column == "S/No" else row[column])
        book.save(str(root / "SubjectDetails.xls"))

    @staticmethod
    def _traces(recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        breath = recorder.breathing(8)
        n = len(breath["airflow"])
        both = (breath["thorax"] + breath["abdomen"]) / 2
        position = rng.integers(1, 5, 1 + n // 4800).repeat(4800)[:n].astype(float)
        traces = [
            Trace("Lefteye", recorder.derivation("E1", "PG1", 64), 64, span=1000),
            Trace("RightEye", recorder.derivation("E2", "PG1", 64), 64, span=1000),
            Trace("EMG", recorder.chin(64), 64),
            Trace("C3A2", recorder.derivation("C3", "M2"), 128, span=500),
            Trace("C4A1", recorder.derivation("C4", "M1"), 128, span=500),
            Trace("ECG", recorder.ecg(128) / 1000, 128, unit="mV", span=5),
            Trace("SpO2", recorder.spo2(8), 8, unit="%", limits=(0, 100)),
            Trace("Sound", np.abs(both) * rng.standard_normal(n), 8, unit="mV", span=5),
            Trace("Flow", breath["airflow"], 8, unit="mV", span=5),
            Trace("Sum", both, 8, unit="mV", span=5),
            Trace("ribcage", breath["thorax"], 8, unit="mV", span=5),
            Trace("abdo", breath["abdomen"], 8, unit="mV", span=5),
            Trace("BodyPos", position, 8, unit="", limits=(0, 8)),
            Trace("Pulse", 62 + rng.standard_normal(n), 8, unit="BPM", limits=(0, 250)),
        ]
        deaf = rng.random() < 0.2  # some recordings have no microphone
        return [trace for trace in traces if not (deaf and trace.label == "Sound")]

    @staticmethod
    def _row(recorder: Recorder, start: dt.datetime, codes: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
        person = recorder.visit.person
        height = int(rng.normal(176 if person.male else 164, 7))
        asleep = int(np.count_nonzero((codes > 0) & (codes < UNDOCUMENTED)))
        breaths = sum(event.kind in EVENTS for event in recorder.night.events)
        return {
            "Study Number": recorder.visit.recording.upper(),
            "Height (cm)": height,
            "Weight (kg)": round(person.bmi * (height / 100) ** 2, 1),
            "Gender": "M" if person.male else "F",
            "PSG Start Time": f"{start.hour}:{start:%M:%S}",
            "PSG AHI": round(120 * breaths / max(asleep, 1)),
            "BMI": person.bmi,
            "Age": int(person.age_y),
            "Epworth Sleepiness Score": f" {rng.integers(0, 25)} ",
            "Study Duration (hr)": round(recorder.duration_s / 3600, 1),
            "Sleep Efficiency (%)": round(100 * asleep / len(codes)),
            "No of data blocks in EDF": int(recorder.duration_s),
        }


def _codes(stages: StageArray, rng: np.random.Generator) -> np.ndarray:
    """Return the code of each epoch: deep sleep is S3 or S4, and now and then wake is the undocumented 8."""
    codes = CODES[stages]
    codes[(stages == N3) & (rng.random(len(stages)) < 0.25)] = 4
    codes[(stages == W) & (rng.random(len(stages)) < 0.01)] = UNDOCUMENTED
    return codes


def _event_lines(recorder: Recorder, start: dt.datetime, rng: np.random.Generator) -> list[str]:
    """Return a line per respiratory event: those of the truth, and doubtful ones and periodic breathing among them."""
    found = [
        (event.onset_s, event.duration_s, str(rng.choice(EVENTS[event.kind])))
        for event in recorder.night.events
        if event.kind in EVENTS
    ]
    for kind in ("PB", "POSSIBLE"):
        for onset_s in rng.uniform(0, recorder.duration_s - 60, rng.poisson(0.3)):
            found.append((float(onset_s), float(rng.uniform(15, 50)), kind))
    lines = []
    for onset_s, duration_s, kind in sorted(found):
        clock = start + dt.timedelta(seconds=round(onset_s))  # goes past midnight without a date
        low, drop = (f"{rng.uniform(85, 95):.1f}", f"{rng.uniform(2, 9):.1f}")
        snore, aroused = rng.choice(list("+-"), 2)
        heart, change = (f"{rng.uniform(55, 80):.1f}", f"{rng.uniform(-9, 9):.1f}")
        after = f"{low:>7} {drop:>7} {snore:>4} {aroused:>5} {heart:>9}{change:>13}"
        line = f"{clock:%H:%M:%S}  {kind:<9}{'':7}{duration_s:>6.0f}{'':4}"
        lines.append(line if kind == "PB" else line + after)
    return lines


DIALECT = Svuh()

"""CinC Challenge 2018: WFDB headers over MATLAB v4 signals, and annotations at changes of stage."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from scipy.io import savemat

from hypnoflow.simulate.dialect import runs
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

STAGES = ("W", "N1", "N2", "N3", "R")
EVENTS = {
    "arousal": "arousal_spontaneous",
    "hypopnea": "resp_hypopnea",
    "apnea_obstructive": "resp_obstructiveapnea",
    "apnea_central": "resp_centralapnea",
    "apnea_mixed": "resp_mixedapnea",
}
EEG = ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1", "E1-M2")


class Phys:
    """Patients of one sleep laboratory; the first stage mark lies minutes into the record."""

    population = Population((22, 85), 0.65, 14.0, 0.8)
    rate_hz = 200.0
    mains_hz = 60.0

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"tr{3 + person.number % 12:02d}-{5 + 7 * person.number:04d}"

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        name = recorder.visit.recording
        folder = root / "training" / name
        folder.mkdir(parents=True, exist_ok=True)
        self._write_signals(folder, name, recorder)
        self._write_annotations(folder, name, recorder)
        person, rng = recorder.visit.person, recorder.rng("dialect")
        sex = "M" if person.male else "F"
        return {"Record": name, "Age": int(person.age_y), "Sex": sex.lower() if rng.random() < 0.1 else sex}

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        with (root / "age-sex.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["Record", "Age", "Sex"])
            writer.writeheader()
            writer.writerows(rows)

    def _write_signals(self, folder: Path, name: str, recorder: Recorder) -> None:
        rate = self.rate_hz
        breath = recorder.breathing(rate)
        pairs = [(label, *label.split("-")) for label in EEG]
        signals = [(label, recorder.derivation(plus, minus), 50.0, "uV") for label, plus, minus in pairs]
        signals += [
            ("Chin1-Chin2", recorder.chin(), 50.0, "uV"),
            ("ABD", 400 * breath["abdomen"], 30.0, "uV"),
            ("CHEST", 400 * breath["thorax"], 30.0, "uV"),
            ("AIRFLOW", 400 * breath["airflow"], 30.0, "uV"),
            ("SaO2", recorder.spo2(rate), 100.0, "%"),
            ("ECG", recorder.ecg(rate) / 1000, 8000.0, "mV"),
        ]
        n = min(len(x) for _, x, _, _ in signals)
        digital = np.stack([np.clip(np.round(x[:n] * gain), -32767, 32767) for _, x, gain, _ in signals])
        savemat(folder / f"{name}.mat", {"val": digital.astype(np.int16)}, format="4")
        lines = [f"{name} {len(signals)} {rate:g} {n}"]
        for (label, _, gain, unit), row in zip(signals, digital.astype(np.int64), strict=True):
            checksum = (int(row.sum()) + 32768) % 65536 - 32768
            lines.append(f"{name}.mat 16+24 {gain:g}/{unit} 16 0 {row[0]} {checksum} 0 {label}")
        (folder / f"{name}.hea").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _write_annotations(self, folder: Path, name: str, recorder: Recorder) -> None:
        lead_in = int(recorder.rng("dialect", "lead-in").integers(2, 12))  # epochs before the first mark
        labels = [STAGES[stage] for stage in recorder.scored()]
        marks = [(onset + 30 * lead_in, label) for onset, _, label in runs(labels[lead_in:])]
        for event in recorder.night.events:
            if event.kind in EVENTS:
                marks.append((event.onset_s, f"({EVENTS[event.kind]}"))
                marks.append((event.onset_s + event.duration_s, f"{EVENTS[event.kind]})"))
        marks.sort(key=lambda mark: mark[0])
        wfdb.wrann(
            name,
            "arousal",
            sample=np.array([int(round(at * self.rate_hz)) for at, _ in marks]),
            symbol=['"'] * len(marks),
            aux_note=[text for _, text in marks],
            fs=self.rate_hz,
            write_dir=str(folder),
        )


DIALECT = Phys()

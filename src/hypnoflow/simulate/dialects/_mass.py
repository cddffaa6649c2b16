"""MASS: EDF of signals, EDF+ of pages that do not begin with the signals, EDF+ of events written as XML elements.

The table of ages and sexes has a name and columns of our own: those of the real one are not known. Only the names
of events that public code mentions are written, so central and mixed apneas are left out; leg movements are made up
by the "detector" and are not in the truth.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
from edfio import EdfAnnotation

from hypnoflow.simulate.dialect import Trace, write_edf
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

STAGES = np.array(["W", "1", "2", "3", "R"])
PAGE_S = 30.002  # pages drift against the clock of the signals
EVENTS = {
    "arousal": ("MicroArousal", "EEG C4-{reference}"),
    "hypopnea": ("Hypopnea", "Resp Cannula"),
    "apnea_obstructive": ("ObstructiveApnea", "Resp Cannula"),
}


class Mass:
    """One part of the Montreal Archive of Sleep Studies: adults, one night, 30-s pages.

    Parameters
    ----------
    part : int
        Number of the part (SS1, SS3).
    numbers : tuple of int
        Numbers of its recordings; simulated persons beyond those go on counting.
    population : Population
        Who takes part.
    electrodes : tuple of str
        Electrodes in file order; Fp1 and Fp2 are missing in some recordings of SS1.
    cle_share : float
        Share of recordings against computed linked ears; the others' are linked by resistors.
    """

    rate_hz = 256.0
    mains_hz = 60.0

    def __init__(
        self,
        part: int,
        numbers: tuple[int, ...],
        population: Population,
        electrodes: tuple[str, ...],
        cle_share: float,
    ) -> None:
        self.part, self.numbers, self.population = part, numbers, population
        self.electrodes, self.cle_share = electrodes, cle_share

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        beyond = person.number - len(self.numbers)
        number = self.numbers[person.number] if beyond < 0 else self.numbers[-1] + 1 + beyond
        return f"01-{self.part:02d}-{number:04d}"

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        rng, name, person = recorder.rng("dialect"), recorder.visit.recording, recorder.visit.person
        folder = root / f"SS{self.part}_EDF"
        start = dt.datetime(2000, 1, 1, 22, 0) + dt.timedelta(seconds=int(rng.integers(0, 7200)))
        reference = "CLE" if rng.random() < self.cle_share else "LER"
        lead_in_s = int(rng.integers(1, 31))  # whole seconds before the first page
        pages = self._pages(recorder, lead_in_s, rng)
        events = _events(recorder, reference, lead_in_s, rng)
        write_edf(folder / f"{name} PSG.edf", self._traces(recorder, reference, rng), start=start, record_s=1)
        for what, marks in (("Base", pages), ("Annotations", events)):
            write_edf(folder / f"{name} {what}.edf", [], start=start, record_s=1, annotations=marks)
        return {"ID": name, "Age": int(person.age_y), "Sex (M/F)": "M" if person.male else "F"}

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        with (root / f"SS{self.part}_descriptors.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["ID", "Age", "Sex (M/F)"])
            writer.writeheader()
            writer.writerows({row["ID"]: row for row in rows}.values())

    def _traces(self, recorder: Recorder, reference: str, rng: np.random.Generator) -> list[Trace]:
        rate, breath, n = self.rate_hz, recorder.breathing(self.rate_hz), int(recorder.duration_s * self.rate_hz)
        chin = recorder.chin()
        # In some recordings of SS1 the thoracic belt is missing, in others the frontal poles.
        missing = {"Fp1", "Fp2"} if self.part == 1 and rng.random() < 0.5 else set()
        belt = self.part == 3 or rng.random() > 0.2
        polarity = -1 if rng.random() < 0.2 else 1  # of the ECG, reported inverted in some recordings
        eyes = (("EOG Left Horiz", "E1"), ("EOG Right Horiz", "E2"))
        traces = [Trace(label, recorder.derivation(eye, reference), rate, span=1000) for label, eye in eyes]
        for electrode in self.electrodes:
            if electrode not in missing:
                x = recorder.derivation("M2" if electrode == "A2" else electrode, reference)
                traces.append(Trace(f"EEG {electrode}-{reference}", x, rate, span=1000))
        for k in (1, 2, 3):
            traces.append(Trace(f"EMG Chin{k}", chin + 2 * rng.standard_normal(n, np.float32) * (k > 1), rate))
        for side in "LR":
            traces.append(Trace(f"EMG Ant Tibial {side}", 4 * rng.standard_normal(n, np.float32), rate))
        traces += [
            Trace("ECG ECGI", polarity * recorder.ecg(rate), rate, span=5000),
            Trace("Resp Thermistor", 100 * breath["airflow"], rate),
            Trace("Resp Cannula", 80 * breath["airflow"] * np.abs(breath["airflow"]), rate),
        ]
        if belt:
            traces.append(Trace("Resp Belt Thor", 100 * breath["thorax"], rate))
        traces.append(Trace("Resp Belt Abdo", 100 * breath["abdomen"], rate))
        traces.append(Trace("SaO2 SaO2", recorder.spo2(rate), rate, unit="%", limits=(0, 100)))
        return traces

    @staticmethod
    def _pages(recorder: Recorder, lead_in_s: int, rng: np.random.Generator) -> list[EdfAnnotation]:
        """Return one annotation per page; the expert saw pages from the whole second on."""
        names = STAGES[recorder.scored(offset_s=lead_in_s)]
        first_s = lead_in_s + rng.uniform(0, 0.5)
        pages = []
        for k, name in enumerate(names):
            unsure = rng.random() < 0.005
            onset_s = round(first_s + PAGE_S * k, 4)
            pages.append(EdfAnnotation(onset_s, PAGE_S, f"Sleep stage {'?' if unsure else name}"))
        return pages


def _events(recorder: Recorder, reference: str, lead_in_s: int, rng: np.random.Generator) -> list[EdfAnnotation]:
    """Return the events from the first page on."""
    annotations = []
    for event in recorder.night.events:
        if event.kind in EVENTS and event.onset_s >= lead_in_s:
            group, channel = EVENTS[event.kind]
            text = _element(channel.format(reference=reference), group, "CARSM expert", "expert")
            annotations.append(EdfAnnotation(event.onset_s, event.duration_s, text))
    for onset_s in rng.uniform(lead_in_s, recorder.duration_s - 10, 1 + rng.poisson(3 * recorder.duration_s / 3600)):
        text = _element(f"EMG Ant Tibial {rng.choice(list('LR'))}", "PLMS", "CARSM detector", "automatic")
        annotations.append(EdfAnnotation(round(float(onset_s), 3), round(float(rng.uniform(0.5, 4)), 3), text))
    return sorted(annotations, key=lambda annotation: float(annotation.onset))


def _element(channel: str, group: str, name: str, scoring: str) -> str:
    return f'<Event channel="{channel}" groupName="{group}" name="{name}" scoringType="{scoring}"/>'

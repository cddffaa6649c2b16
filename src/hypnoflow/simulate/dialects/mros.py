"""MrOS: two visits whose labels differ by blanks, references and rates; a few files are referenced already."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.dialects import _nsrr_signals as signals
from hypnoflow.simulate.dialects._nsrr import Mark, NsrrDialect, persons_columns, sleep_columns
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

FIRST = {"C3": "C3", "C4": "C4", "A1": "M1", "A2": "M2", "LOC": "E1", "ROC": "E2"}
SECOND = {name: name for name in ("C3", "C4", "M1", "M2", "E1", "E2")}
# How the eyes are labelled where C3-A2 is: not documented; A1 and A2 are not in such a file, so they must be included.
REFERENCED = {"C3-A2": ("C3", "M2"), "C4-A1": ("C4", "M1"), "LOC-A2": ("E1", "M2"), "ROC-A1": ("E2", "M1")}
FIRST_BELTS = {"Airflow": "airflow", "SUM": "sum", "Thoracic": "thorax", "Abdominal": "abdomen"}
SECOND_BELTS = {"Airflow": "airflow", "Chest": "thorax", "ABD": "abdomen", "SUM": "sum"}
REFERENCED_SHARE = 0.08  # 6 of 2907 in truth; here often enough to be met
WITHOUT_CANNULA_SHARE = 0.05  # 47 of 2907
AHI = ("nsrr_ahi_hp3r_aasm15", "nsrr_ahi_hp3u", "nsrr_ahi_hp4u_aasm15", "nsrr_ahi_hp4r")


class Mros(NsrrDialect):
    """Men of 65 and over at home; tables only of the first visit, with the person's letters in capitals."""

    population = Population((65, 92), 1.0, 11.0, 0.9)
    rate_hz = 256.0
    flow, spo2 = "Airflow", "SaO2"
    unsure = ("hypopnea", 0.5)
    stage_4_share, movement_share = 0.3, 0.01
    sleep_wake_share = 0.03

    def visits(self, person: Person) -> int:
        return 2

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"mros-visit{visit}-aa{1 + person.number:04d}"

    def folder(self, recorder: Recorder) -> str:
        return f"visit{recorder.visit.visit}"

    def unasked(self, recorder: Recorder) -> list[Mark]:
        marks = super().unasked(recorder)
        if recorder.visit.visit == 2:  # its leg channels were of no use
            marks = [mark for mark in marks if not mark.kind.startswith("Limb")]
        return marks

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        return self._first(recorder, rng) if recorder.visit.visit == 1 else self._second(recorder, rng)

    @staticmethod
    def _first(recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        cannula = rng.random() >= WITHOUT_CANNULA_SHARE
        if rng.random() < REFERENCED_SHARE:
            head = [
                *signals.derivations(recorder, REFERENCED, 256),
                *signals.heart(recorder, ("ECG L-ECG R",), 512),
                *signals.chin(recorder, ("L Chin-R Chin",), 256),
            ]
        else:
            head = [
                *signals.electrodes(recorder, FIRST, 256),
                *signals.heart(recorder, ("ECG L", "ECG R"), 512),
                *signals.chin(recorder, ("L Chin", "R Chin"), 256),
            ]
        return [
            *head,
            *signals.legs(recorder, ("Leg L", "Leg R"), 64),
            *signals.belts(recorder, FIRST_BELTS, 16),
            *([signals.nasal(recorder, "Cannula Flow", 64)] if cannula else []),
            signals.oximeter(recorder, "SaO2", 1),
            signals.pulse(recorder, "HR", 1),
            signals.level(recorder, "STAT", 1, 0),
            signals.level(recorder, "Position", 4, 2),
            signals.pulse(recorder, "DHR", 16),
        ]

    @staticmethod
    def _second(recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        fastest_hz = 1024.0 if rng.random() < 853 / 1026 else 512.0
        odd = ("CH36", "CH37") if rng.random() < 0.3 else ()
        return [
            *signals.electrodes(recorder, SECOND, 256),
            *signals.heart(recorder, ("ECGL", "ECGR"), 512),
            *signals.chin(recorder, ("LChin", "RChin"), 256),
            *signals.legs(recorder, ("LegL", "LegR"), 64),
            *signals.belts(recorder, SECOND_BELTS, 32),
            signals.nasal(recorder, "CannulaFlow", 64),
            signals.oximeter(recorder, "SpO2", 1),
            signals.pulse(recorder, "HR", 1),
            signals.level(recorder, "STAT", 1, 0),
            signals.level(recorder, "Position", 4, 2),
            signals.pulse(recorder, "DHR", fastest_hz),
            *(signals.level(recorder, label, 32, 0) for label in odd),
        ]

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        visit, person = recorder.visit, recorder.visit.person
        if visit.visit > 1:
            return {}
        night = sleep_columns(recorder, AHI, "nsrr_ttldursp_f1", self.sleep_wake_only(recorder))
        key = {"nsrrid": f"AA{1 + person.number:04d}", "visit": 1}
        raw = {"gender": 2, "vsage1": min(int(person.age_y), 90)}
        return {
            "mros-visit1-harmonized-0.6.0.csv": key | persons_columns(person) | night,
            "mros-visit1-dataset-0.6.0.csv": key | raw,
        }


DIALECT = Mros()

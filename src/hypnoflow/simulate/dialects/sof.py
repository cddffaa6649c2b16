"""SOF, visit 8: old women at home; labels with slashes or blanks, cannula under three names."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.dialects import _nsrr_signals as signals
from hypnoflow.simulate.dialects._nsrr import NsrrDialect, persons_columns, sleep_columns
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

ELECTRODES = {"C3": "C3", "C4": "C4", "A1": "M1", "A2": "M2", "LOC": "E1", "ROC": "E2"}
OCCIPITAL = {"O1": "O1", "O2": "O2"}
CANNULA = ("Cannula Flow", "Nasal Pressure", "NASAL PRESSURE")
BELTS = {"Airflow": "airflow", "Thoracic": "thorax", "Abdominal": "abdomen"}
AHI = ("nsrr_ahi_hp3r_aasm15", "nsrr_ahi_hp3u", "nsrr_ahi_hp4u_aasm15", "nsrr_ahi_hp4r")


class Sof(NsrrDialect):
    """Women of about 83, one night each."""

    population = Population((76, 92), 0.0, 13.0, 0.8)
    rate_hz = 128.0
    flow, spo2 = "Airflow", "SAO2"
    stage_4_share, movement_share = 0.4, 0.01
    sleep_wake_share = 0.03

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"sof-visit-8-{4 + person.number:05d}"

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        occipital = OCCIPITAL if rng.random() < 0.2 else {}
        chin = (("L Chin", "R Chin"), ("EMG/L", "EMG/R"))[int(rng.integers(2))]
        return [
            *signals.electrodes(recorder, ELECTRODES | occipital, 128),
            *signals.chin(recorder, chin, 128),
            *signals.heart(recorder, ("ECG1", "ECG2"), 256),
            *signals.legs(recorder, ("Leg/L", "Leg/R"), 64),
            *signals.belts(recorder, BELTS, 16),
            signals.nasal(recorder, str(rng.choice(CANNULA)), 64),
            signals.oximeter(recorder, "SAO2", 1),
            signals.pulse(recorder, "HR", 1),
            signals.level(recorder, "STAT", 1, 0),
            signals.level(recorder, "Position", 1, 2),
        ]

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        person = recorder.visit.person
        night = sleep_columns(recorder, AHI, "nsrr_ttldursp_f1", self.sleep_wake_only(recorder))
        who = persons_columns(person)
        del who["nsrr_ethnicity"]  # not in this cohort's dictionary
        key = {"nsrrid": 4 + person.number, "visit": 8}
        raw = {"sofid": key["nsrrid"], "gender": 1, "v8age": person.age_y}
        return {
            "sof-visit-8-harmonized-dataset-0.8.0.csv": key | who | night,
            "sof-visit-8-dataset-0.8.0.csv": raw,
        }


DIALECT = Sof()

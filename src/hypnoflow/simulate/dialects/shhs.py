"""SHHS: EDF with signals from 1 to 125 Hz, and an NSRR XML of run-length stages and events."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.dialects._nsrr import Mark, NsrrDialect
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

SECOND_EEG = ("EEG(sec)", "EEG(sec)", "EEG(sec)", "EEG 2", "EEG2", "EEG sec", "EEG(SEC)")
FLOW = ("NEW AIR", "AIRFLOW", "New Air", "AUX")
TABLE = "shhs-harmonized-dataset-0.21.0.csv"


class Shhs(NsrrDialect):
    """Adults of 40 and over at home, up to two visits years apart."""

    population = Population((40, 89), 0.48, 11.0, 0.9)
    rate_hz = 125.0
    spo2, eeg = "SaO2", "EEG"
    arousals = ("Arousal|Arousal ()",)

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"shhs{visit}-{200001 + person.number}"

    def visits(self, person: Person) -> int:
        return 2

    def folder(self, recorder: Recorder) -> str:
        return f"shhs{recorder.visit.visit}"

    def unasked(self, recorder: Recorder) -> list[Mark]:
        return []

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        visit, person = recorder.visit, recorder.visit.person
        ahi = recorder.events_per_h("apnea", "hypopnea")
        row = {
            "nsrrid": 200001 + person.number,
            "visitnumber": visit.visit,
            "nsrr_age": round(min(person.age_y + 5 * (visit.visit - 1), 90), 1),
            "nsrr_age_gt89": "yes" if person.age_y > 89 else "no",
            "nsrr_sex": person.sex,
            "nsrr_race": "not reported",
            "nsrr_bmi": person.bmi,
            "nsrr_ahi_hp3r_aasm15": round(ahi, 3),
            "nsrr_ahi_hp4u_aasm15": round(0.8 * ahi, 3),
            "nsrr_flag_spsw": "full scoring",
        }
        return {TABLE: row}

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        breath, seconds = recorder.breathing(10), int(recorder.duration_s)
        return [
            Trace("SaO2", recorder.spo2(1), 1, unit="%", limits=(0, 100)),
            Trace("H.R.", np.full(seconds, 62.0), 1, unit="BPM", limits=(0, 250)),
            Trace(str(rng.choice(SECOND_EEG)), recorder.derivation("C3", "M2"), 125, span=125),
            Trace("ECG", recorder.ecg(125) / 1000, 125, unit="mV", span=1.25),
            Trace("EMG", recorder.chin(), 125, span=31.5),
            Trace("EOG(L)", recorder.derivation("E1", "PG1", 50), 50, span=125),
            Trace("EOG(R)", recorder.derivation("E2", "PG1", 50), 50, span=125),
            Trace("EEG", recorder.derivation("C4", "M1"), 125, span=125),
            Trace(str(rng.choice(FLOW)), 0.5 * breath["airflow"], 10, unit="", span=1),
            Trace("THOR RES", 0.5 * breath["thorax"], 10, unit="", span=1),
            Trace("ABDO RES", 0.5 * breath["abdomen"], 10, unit="", span=1),
            Trace("POSITION", np.full(seconds, 2.0), 1, unit="", limits=(0, 3)),
            Trace("OX stat", np.zeros(seconds), 1, unit="", limits=(0, 3)),
        ]


DIALECT = Shhs()

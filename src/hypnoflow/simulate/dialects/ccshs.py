"""CCSHS: adolescents in one laboratory; electrodes at 128 Hz beside channels of up to 1024 Hz."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.dialects import _nsrr_signals as signals
from hypnoflow.simulate.dialects._nsrr import NsrrDialect, persons_columns, sleep_columns
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

ELECTRODES = {"C3": "C3", "C4": "C4", "A1": "M1", "A2": "M2", "LOC": "E1", "ROC": "E2"}
BELTS = {"ABDO EFFORT": "abdomen", "THOR EFFORT": "thorax", "SUM": "sum", "AIRFLOW": "airflow"}
LEGS = (("LEFT LEG1", "LEFT LEG2", "RIGHT LEG1", "RIGHT LEG2"), ("L Leg", "R Leg"))
AHI = ("nsrr_ahi_hp3r_aasm15", "nsrr_ahi_hp3u", "nsrr_ahi_hp4u_aasm15", "nsrr_ahi_hp4r")


class Ccshs(NsrrDialect):
    """Young people of about 17, one night each."""

    population = Population((16, 19), 0.5, 3.5, 0.7)
    rate_hz = 128.0
    stage_4_share, movement_share = 0.4, 0.01
    sleep_wake_share = 0.03

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"ccshs-trec-{1800001 + person.number}"

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        legs, fast_hz = LEGS[int(rng.integers(2))], float(rng.choice((512, 1024)))
        chin = signals.chin(recorder, ("EMG2", "EMG3", "EMG1"), 256)  # 1 is the centre
        return [
            *signals.electrodes(recorder, ELECTRODES, 128),
            *signals.heart(recorder, ("ECG1", "ECG2"), 256),
            *sorted(chin, key=lambda trace: trace.label),
            *signals.legs(recorder, legs, 256),
            *signals.belts(recorder, BELTS, 32),
            signals.nasal(recorder, "NASAL PRES", 64),
            signals.noise(recorder, "SNORE", 256, 0.1),
            signals.oximeter(recorder, "SpO2", 1),
            signals.pulse(recorder, "PULSE", 1),
            signals.level(recorder, "POSITION", 1, 2),
            signals.level(recorder, "OX STATUS", 1, 0),
            signals.noise(recorder, "PlethWV", 128, 0.2),
            signals.level(recorder, "Light", fast_hz, 0),
            signals.pulse(recorder, "HRate", fast_hz),
        ]

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        person = recorder.visit.person
        night = sleep_columns(recorder, AHI, "nsrr_tst_f1", self.sleep_wake_only(recorder))
        obstructive = round(recorder.events_per_h("apnea_obstructive", "apnea_mixed", "hypopnea"), 3)
        only_here = {
            "nsrr_oahi_hp3u": obstructive,
            "nsrr_oahi_hp4u": round(0.8 * obstructive, 3),
            "nsrr_oai": round(recorder.events_per_h("apnea_obstructive"), 3),
            "nsrr_cai": round(recorder.events_per_h("apnea_central"), 3),
            "nsrr_minlvlsa": float(recorder.spo2(1).min()),
            "nsrr_avglvlsa": round(float(recorder.spo2(1).mean()), 2),
        }
        key = {"nsrrid": 1800001 + person.number, "visit": 1}
        raw = {"male": int(person.male), "age": person.age_y}
        return {
            "ccshs-trec-harmonized-0.8.0.csv": key | persons_columns(person) | night | only_here,
            "ccshs-trec-dataset-0.8.0.csv": {"nsrrid": key["nsrrid"]} | raw,
        }


DIALECT = Ccshs()

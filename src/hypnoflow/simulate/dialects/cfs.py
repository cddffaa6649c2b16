"""CFS: families; two versions of the exporter, whose rates, units and references differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.dialects import _nsrr_signals as signals
from hypnoflow.simulate.dialects._nsrr import NsrrDialect, persons_columns, sleep_columns
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

REFERENCES = ("A1", "A2"), ("M1", "M2")
BELTS = {"AIRFLOW": "airflow", "ABDO EFFORT": "abdomen", "THOR EFFORT": "thorax", "SUM": "sum"}
AHI = ("nsrr_ahi_hp3r_aasm15", "nsrr_ahi_hp3u", "nsrr_ahi_hp4u_aasm15", "nsrr_ahi_hp4r")


def family(person: Person) -> int:
    """Return the person's family: of three and of two in turn."""
    return 10001 + 2 * person.number // 5


class Cfs(NsrrDialect):
    """Children to the old, related to one another; the family is in the name of the file."""

    population = Population((7, 89), 0.45, 8.0, 0.9)
    rate_hz = 128.0
    unsure = ("hypopnea", 0.5)
    stage_4_share = 0.02  # the manual asks not to tell 3 from 4
    sleep_wake_share = 0.03

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"cfs-visit5-{800002 + person.number}-famID{family(person)}"

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        second = bool(rng.random() < 0.5)
        left, right = REFERENCES[int(rng.integers(2))]
        names = {"C3": "C3", "C4": "C4", left: "M1", right: "M2", "LOC": "E1", "ROC": "E2"}
        chin = signals.chin(recorder, ("EMG2", "EMG3", "EMG1"), 256)  # 1 is the centre
        pap = [signals.level(recorder, "PAP FLOW", 32, 0)] if rng.random() < 0.2 else []
        return [
            *signals.electrodes(recorder, names, 128, "mV" if second else "uV"),
            *signals.heart(recorder, ("ECG1", "ECG2"), 512 if second else 256),
            *sorted(chin, key=lambda trace: trace.label),
            *signals.legs(recorder, ("L Leg", "R Leg"), 64),
            *signals.belts(recorder, BELTS, 32),
            signals.nasal(recorder, "NASAL PRES", 128 if second else 64),
            *pap,
            signals.noise(recorder, "SNORE", 256, 0.1),
            signals.oximeter(recorder, str(rng.choice(("SpO2", "SaO2"))), 1),
            signals.pulse(recorder, "PULSE", 1),
            signals.level(recorder, "POSITION", 1, 2),
            signals.level(recorder, "OX STATUS", 1, 0),
            signals.noise(recorder, "PlethWV", 128, 0.2),
        ]

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        person = recorder.visit.person
        night = sleep_columns(recorder, AHI, "nsrr_ttldursp_f1", self.sleep_wake_only(recorder))
        key = {"nsrrid": 800002 + person.number, "rectype": 5}
        raw = {"familyi": family(person), "male": int(person.male), "age": person.age_y}
        return {
            "cfs-visit5-harmonized-dataset-0.7.0.csv": key | persons_columns(person) | night,
            "cfs-visit5-dataset-0.7.0.csv": key | raw,
        }


DIALECT = Cfs()

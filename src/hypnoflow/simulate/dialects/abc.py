"""ABC: three visits, ten electrodes against Fpz at 256 Hz, and a heart rate at 512 Hz beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.dialects import _nsrr_signals as signals
from hypnoflow.simulate.dialects._nsrr import NsrrDialect, persons_columns, sleep_columns
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

VISITS = ("baseline", "month09", "month18")
ELECTRODES = ("F3", "F4", "C3", "C4", "O1", "O2", "M1", "M2", "E1", "E2")
AHI = ("nsrr_ahi_hp3r_aasm15", "nsrr_ahi_hp3u", "nsrr_ahi_hp4u_aasm15", "nsrr_ahi_hp4r")


class Abc(NsrrDialect):
    """Obese adults with severe sleep apnea, before and after surgery or CPAP; tables only of the first visit."""

    population = Population((30, 65), 0.55, 38.0, 0.5)
    rate_hz = 256.0
    flow = "Airflow"
    unsure = ("hypopnea", 0.5)

    def visits(self, person: Person) -> int:
        return len(VISITS)

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"abc-{VISITS[visit - 1]}-{900001 + person.number}"

    def folder(self, recorder: Recorder) -> str:
        return VISITS[recorder.visit.visit - 1]

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        heart_hz, thorax = float(rng.choice((64, 512))), str(rng.choice(("Thor", "Thorax")))
        belts = {"Airflow": "airflow", "Abdo": "abdomen", thorax: "thorax", "Sum": "sum"}
        chin = signals.chin(recorder, ("Chin2", "Chin3", "Chin1"), 256)  # 1 is the centre
        return [
            *signals.electrodes(recorder, {name: name for name in ELECTRODES}, 256),
            *sorted(chin, key=lambda trace: trace.label),
            *signals.heart(recorder, ("ECG1", "ECG2"), 256),
            *signals.legs(recorder, ("LLeg1", "LLeg2", "RLeg1", "RLeg2"), 256),
            *signals.belts(recorder, belts, 32),
            signals.nasal(recorder, "Nasal Pressure", 32),
            signals.level(recorder, "CPAP Flow", 32, 0),
            signals.noise(recorder, "Snore", 256, 0.1),
            signals.noise(recorder, "Pleth", 256, 0.2),
            signals.oximeter(recorder, "SpO2", 16),
            signals.pulse(recorder, "Pulse", 16),
            signals.level(recorder, "PosSensor", 16, 2),
            signals.level(recorder, "Ox Status", 16, 0),
            signals.level(recorder, "CPAP Press", 16, 0, "cmH2O"),
            signals.pulse(recorder, "Derived HR", heart_hz),
            signals.level(recorder, "Respiratory Rate", 512, 15),
        ]

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        visit, person = recorder.visit, recorder.visit.person
        if visit.visit > 1:
            return {}
        night = sleep_columns(recorder, AHI, "nsrr_ttldursp_f1")
        del night["nsrr_phrnumar_f1"], night["nsrr_flag_spsw"]  # not in this cohort's dictionary
        key = {"nsrrid": 900001 + person.number, "visitnumber": 0}
        raw = {
            "gender": 1 if person.male else 2,
            "age": person.age_y,
            "ahi_ap0uhp3x3r_f1t1": night["nsrr_ahi_hp3r_aasm15"],
        }
        return {
            "abc-baseline-harmonized-0.4.0.csv": key | persons_columns(person) | night,
            "abc-baseline-dataset-0.4.0.csv": key | raw,
        }


DIALECT = Abc()

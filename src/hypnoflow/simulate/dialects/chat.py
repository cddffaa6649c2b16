"""CHAT: children recorded by many vendors' machines, whose rates, labels and capitals differ from file to file."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.dialects import _nsrr_signals as signals
from hypnoflow.simulate.dialects._nsrr import NsrrDialect, persons_columns, sleep_columns
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

ELECTRODES = ("F3", "F4", "C3", "C4", "T3", "T4", "O1", "O2", "M1", "M2", "E1", "E2")
# How the eyes are labelled where F3-A2 is: not documented; A1 and A2 are not in such a file, so they must be included.
REFERENCED = ("F3-A2", "F4-A1", "C3-A2", "C4-A1", "T3-A2", "T4-A1", "O1-A2", "O2-A1", "E1-A2", "E2-A1")
RATES_HZ = (200.0, 256.0, 400.0, 512.0)  # by vendor; the protocol asks for 200 at least
CHINS = (
    ("Lchin", "Rchin", "Cchin"), ("LChin", "Rchin", "CChin"), ("LCHIN", "RCHIN", "CCHIN"), ("Lchin", "Rchiin", "Cchin")
)  # fmt: skip
HEARTS = (("ECG",), ("EKG",), ("ECG1", "ECG2"), ("ECG1", "ECG2", "ECG3"), ("ECG1", "ECg2", "ECG3"))
FLOWS = ("AIR", "Airflow", "Airflow1", "Airlfow", "AIRFLOW")
CANNULAS = ("CannulaFlow", "CannnulaFlow", "Cannulaflow", "CannulaFow", "CANNULAFLOW")
OXIMETERS = ("SpO2", "SaO2", "SAO2")
PULSES = ("Pulse", "Pluse", "PR", "HR")
POSITIONS = ("Position", "Positon", "Postion", "Postition", "POSdc", "BPOSdc1")
CARBON_DIOXIDE = ("EtCO2", "EtC02", "ETCO2", "TcCO2")  # the second with a zero
AHI = ("nsrr_ahi_hp3r_aasm07", "nsrr_ahi_hp3u", "nsrr_ahi_hp4u", "nsrr_ahi_hp4r")
VISIT_NUMBERS = {1: 3, 2: 10}  # vnum of baseline and follow-up (github.com/nsrr/chat-data-dictionary)


def randomized(person: Person) -> bool:
    """Return whether the person went on into the trial; the others have one night and a table of their own."""
    return person.number % 3 != 2


class Chat(NsrrDialect):
    """Children of 5 to 9 before surgery or waiting, seven months later, or not randomized at all."""

    population = Population((5, 9.9), 0.48, 9.0, 0.6)
    rate_hz = 200.0
    flow, spo2 = "CannulaFlow", "SpO2"
    unsure = ("apnea_mixed", 1.0)
    sleep_wake_share = 0.03

    def visits(self, person: Person) -> int:
        return 2 if randomized(person) else 1

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        part = ("baseline", "followup")[visit - 1] if randomized(person) else "baseline-nonrandomized"
        return f"chat-{part}-{300001 + person.number}"

    def folder(self, recorder: Recorder) -> str:
        visit = recorder.visit
        return ("baseline", "followup")[visit.visit - 1] if randomized(visit.person) else "nonrandomized"

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        rate_hz = float(rng.choice(RATES_HZ))
        effort = {"Chest": "thorax", "ABD": "abdomen", "SUM": "sum", str(rng.choice(FLOWS)): "airflow"}
        if rng.random() < 0.5:
            effort = {label.upper() if label == "Chest" else label: what for label, what in effort.items()}
        pulse_unit = "mbar" if rng.random() < 0.05 else "BPM"
        return [
            *self._head(recorder, rng, rate_hz),
            *signals.heart(recorder, HEARTS[int(rng.integers(len(HEARTS)))], rate_hz),
            *signals.legs(recorder, ("Lleg", "Rleg"), rate_hz),
            signals.noise(recorder, "Snore", rate_hz, 0.1),
            *signals.belts(recorder, effort, 32),
            signals.nasal(recorder, str(rng.choice(CANNULAS)), 128),
            signals.oximeter(recorder, str(rng.choice(OXIMETERS)), 10),
            signals.pulse(recorder, str(rng.choice(PULSES)), 10, pulse_unit),
            signals.level(recorder, str(rng.choice(POSITIONS)), 10, 2),
            signals.level(recorder, str(rng.choice(CARBON_DIOXIDE)), 32, 38, "mmHg"),
            signals.level(recorder, str(rng.choice(("C-Pres", "CFlow", "CPAP_Flow"))), 32, 0),
        ]

    @staticmethod
    def _head(recorder: Recorder, rng: np.random.Generator, rate_hz: float) -> list[Trace]:
        """Return EEG, EOG and chin EMG: referential, or with the reference subtracted already."""
        if rng.random() < 0.25:
            pairs = {label: (label[:2], label[3:].replace("A", "M")) for label in REFERENCED}
            chin = signals.chin(recorder, ("LChin-Rchin",), rate_hz)
            return [*signals.derivations(recorder, pairs, rate_hz), *chin]
        names = {name: name for name in ELECTRODES}
        if rng.random() < 0.15:
            names = {"m2" if name == "M2" else name: name for name in ELECTRODES}
        if rng.random() < 0.3:
            names[str(rng.choice(("Fz", "FZ")))] = "Fz"
        chins = CHINS[int(rng.integers(len(CHINS)))]
        return [*signals.electrodes(recorder, names, rate_hz), *signals.chin(recorder, chins, rate_hz)]

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        visit, person = recorder.visit, recorder.visit.person
        night = sleep_columns(recorder, AHI, "nsrr_tst_f1", self.sleep_wake_only(recorder))
        key = {"nsrrid": 300001 + person.number}
        if not randomized(person):  # other columns and another code of sex than in the trial's tables
            raw = {"omahi3": night[AHI[0]], "ref9": 1 if person.male else 2, "age_nr": person.age_y}
            return {"chat-nonrandomized-dataset-0.14.0.csv": key | raw}
        later_y = 0.6 * (visit.visit - 1)
        key["vnum"] = VISIT_NUMBERS[visit.visit]
        part = ("baseline", "followup")[visit.visit - 1]
        raw = {"male": int(person.male), "child_age": round(person.age_y + later_y, 1), "ahi_a0h3a": night[AHI[0]]}
        return {
            "chat-harmonized-dataset-0.14.0.csv": key | persons_columns(person, later_y) | night,
            f"chat-{part}-dataset-0.14.0.csv": key | raw,
        }


DIALECT = Chat()

"""MESA: bipolar EEG under the recorder's own names, and channels that say when an electrode was off."""

from __future__ import annotations

from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace
from hypnoflow.simulate.dialects import _nsrr_signals as signals
from hypnoflow.simulate.dialects._nsrr import NsrrDialect, persons_columns, sleep_columns
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

EOG = {"EOG-L": ("E1", "Fpz"), "EOG-R": ("E2", "Fpz")}
EEG = {"EEG1": ("Fz", "Cz"), "EEG2": ("Cz", "Oz"), "EEG3": ("C4", "M1")}
OFF = ("EKG", "EOG-L", "EOG-R", "EMG", "EEG1", "EEG2", "EEG3")
AHI = ("nsrr_ahi_hp3r_aasm15", "nsrr_ahi_hp3u", "nsrr_ahi_hp4u_aasm15", "nsrr_ahi_hp4r")


class Mesa(NsrrDialect):
    """Adults of several ethnic groups at home, one night each."""

    population = Population((54, 93), 0.47, 16.0, 0.9)
    rate_hz = 256.0
    flow, eeg = "Therm", "EEG3"
    limbs = ("Limb movement - left|Limb Movement (Left)", "Periodic leg movement - left|PLM (Left)")  # one leg only
    unsure = ("hypopnea", 0.5)
    sleep_wake_share = 0.03

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"mesa-sleep-{1 + person.number:04d}"

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        pressure, flow = str(rng.choice(("Pres", "Flow"))), str(rng.choice(("Therm", "Aux_AC")))
        return [
            *signals.heart(recorder, ("EKG",), 256),
            *signals.derivations(recorder, EOG, 256),
            *signals.chin(recorder, ("EMG",), 256),
            *signals.derivations(recorder, EEG, 256),
            signals.nasal(recorder, pressure, 32),
            signals.noise(recorder, "Snore", 32, 0.1),
            *signals.belts(recorder, {"Thor": "thorax", "Abdo": "abdomen"}, 32),
            *signals.legs(recorder, ("Leg",), 32),
            *signals.belts(recorder, {flow: "airflow"}, 32),
            signals.level(recorder, "Pos", 32, 1),
            *(signals.level(recorder, f"{label}_Off", 1, 0) for label in OFF),
            signals.noise(recorder, "Pleth", 256, 0.2),
            signals.level(recorder, "OxStatus", 1, 0),
            signals.oximeter(recorder, "SpO2", 1),
            signals.pulse(recorder, "HR", 1),
            signals.pulse(recorder, "DHR", 256),
        ]

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        person = recorder.visit.person
        night = sleep_columns(recorder, AHI, "nsrr_tst_f1", self.sleep_wake_only(recorder))
        who = persons_columns(person)
        del who["nsrr_ethnicity"]  # not in this cohort's dictionary
        key = {"mesaid": 1 + person.number, "examnumber": 5}
        raw = {"gender1": int(person.male), "sleepage5c": person.age_y}
        return {
            "mesa-sleep-harmonized-dataset-0.7.0.csv": key | who | night,
            "mesa-sleep-dataset-0.7.0.csv": {"mesaid": key["mesaid"]} | raw,
        }


DIALECT = Mesa()

"""HomePAP: seven sites' laboratories with montages of their own, and home recordings without EEG beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace, write_edf
from hypnoflow.simulate.dialects import _nsrr_signals as signals
from hypnoflow.simulate.dialects._nsrr import NsrrDialect, persons_columns, sleep_columns
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

EEG = ("F3", "F4", "C3", "C4", "O1", "O2", "M1", "M2")
REFERENCED = ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1")
SPLIT_SHARE = 56 / 246
AHI = ("nsrr_ahi_hp4u_aasm15",)


@dataclass(frozen=True, slots=True)
class Site:
    """How one site's files look.

    eyes : tuple of str
        Labels of the left and right EOG; with a hyphen and a reference they are subtracted already.
    twice : tuple of str
        Labels that stand twice in a file, the second time with noise on the signal.
    """

    referenced: bool = False
    eyes: tuple[str, str] = ("E1", "E2")
    chin: tuple[str, ...] = ("LCHIN", "RCHIN", "CCHIN")
    ecg: tuple[str, ...] = ("ECG1", "ECG2", "ECG3")
    belts_hz: float = 32.0
    cannula_hz: float = 128.0
    twice: tuple[str, ...] = ()


SITES = {  # by clusterid
    29: Site(chin=("LCHIN-RCHIN",), cannula_hz=64.0),
    33: Site(),
    35: Site(eyes=("L-EOG", "R-EOG"), chin=("LCHIN", "Rchon", "CCHIN"), cannula_hz=64.0),
    46: Site(True, ("E1-M2", "E2-M1"), ("LCHIN-CCHIN",), ("ECG",), 32.0, 64.0, ("ECG", "Pulse", "TidVol")),
    58: Site(belts_hz=16.0, twice=("O1", "O2", "Snore")),
    90: Site(True, ("E_1-M2", "E_2-M1"), ("LCHIN-CCHIN",), ("ECG1-ECG2",)),
}


class Hpap(NsrrDialect):
    """Adults suspected of sleep apnea, in the laboratory for a full or a split night."""

    population = Population((20, 75), 0.65, 25.0, 0.8)
    rate_hz = 200.0
    flow = "CannulaFlow"

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        night = "split" if rng.random() < SPLIT_SHARE else "full"
        return f"homepap-lab-{night}-{1600001 + person.number}"

    def folder(self, recorder: Recorder) -> str:
        return f"lab/{recorder.visit.recording.split('-')[2]}"

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        if recorder.visit.person.number % 2:
            write_home(root, recorder)
        return super().write(root, recorder)

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        site = SITES[self._site(recorder)]
        body = {"Airflow": "airflow", "CHEST": "thorax", "ABD": "abdomen"}
        split = recorder.visit.recording.split("-")[2] == "split"
        traces = [
            *self._head(recorder, site),
            *signals.chin(recorder, site.chin, 200),
            *signals.heart(recorder, site.ecg, 250),
            *signals.legs(recorder, ("L-LEG", "R-LEG"), 200),
            *signals.belts(recorder, body, site.belts_hz),
            signals.nasal(recorder, "CannulaFlow", site.cannula_hz),
            signals.noise(recorder, "Snore", 200, 0.1),
            signals.oximeter(recorder, "SpO2", 10),
            signals.pulse(recorder, "Pulse", 10),
            signals.level(recorder, "Position", 10, 2),
            signals.noise(recorder, "TidVol", 32, 0.1),
            signals.level(recorder, "PAP", 32, 8 if split else 0, "cmH2O"),
        ]
        return traces + [again(trace, rng) for trace in traces if trace.label in site.twice]

    @staticmethod
    def _head(recorder: Recorder, site: Site) -> list[Trace]:
        eyes = dict(zip(site.eyes, ("E1", "E2"), strict=True))
        if not site.referenced:
            return signals.electrodes(recorder, {name: name for name in EEG} | eyes, 200)
        pairs = {label: (label[:2], label[3:]) for label in REFERENCED}
        pairs |= {label: (electrode, label[-2:]) for label, electrode in eyes.items()}
        return signals.derivations(recorder, pairs, 200)

    @staticmethod
    def _site(recorder: Recorder) -> int:
        return int(recorder.rng("dialect", "site").choice(list(SITES)))

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        person = recorder.visit.person
        night = sleep_columns(recorder, AHI, "nsrr_ttldursp_f1")
        del night["nsrr_phrnumar_f1"], night["nsrr_flag_spsw"]  # not in this cohort's dictionary
        key = {"nsrrid": 1600001 + person.number, "visit": 1}
        raw = {"clusterid": self._site(recorder), "gender": int(person.male), "age": person.age_y}
        return {
            "homepap-baseline-harmonized-dataset-0.2.0.csv": key | persons_columns(person) | night,
            "homepap-baseline-dataset-0.2.0.csv": {"nsrrid": key["nsrrid"]} | raw,
        }


def again(trace: Trace, rng: np.random.Generator) -> Trace:
    """Return the trace as the file holds it a second time: near the first, not equal."""
    x = trace.x + 0.02 * trace.x.std() * rng.standard_normal(len(trace.x), np.float32)
    return Trace(trace.label, x, trace.rate_hz, trace.unit, trace.span, trace.limits, trace.digital)


def write_home(root: Path, recorder: Recorder) -> None:
    """Write a home recording of someone of the other arm: no EEG, no stages, units that are not ASCII."""
    number = 1600201 + recorder.visit.person.number
    traces = [
        *signals.belts(recorder, {"Flow": "airflow", "Thorax": "thorax", "Abdomen": "abdomen"}, 10),
        signals.oximeter(recorder, "SpO2", 1),
        signals.noise(recorder, "Pleth", 32, 0.2),
        *(signals.level(recorder, label, 1, 2, "?") for label in ("Position", "Phase", "RMI")),
    ]
    path = root / "polysomnography" / "edfs" / "home" / f"homepap-home-{number}.edf"
    write_edf(path, traces, start=dt.datetime(1985, 1, 1, 22, 0), record_s=1)
    patch_units(path, [trace.unit for trace in traces])


def patch_units(path: Path, units: Sequence[str]) -> None:
    """Write a degree sign, in latin-1, over the units "?" of an EDF file: EDF writers refuse what is not ASCII."""
    header, n = bytearray(path.read_bytes()), len(units)
    for i, unit in enumerate(units):
        at = 256 + n * (16 + 80) + 8 * i  # after the labels and transducers of all signals
        if unit == "?":
            header[at : at + 8] = "°".encode("latin-1").ljust(8)
    path.write_bytes(header)


DIALECT = Hpap()

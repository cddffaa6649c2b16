"""SHHS: EDF with signals from 1 to 125 Hz, and an NSRR XML of run-length stages and events."""

from __future__ import annotations

import csv
import datetime as dt
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np

from hypnoflow.simulate.dialects._base import Trace, runs, write_edf
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder

STAGE_CONCEPTS = (
    "Wake|0", "Stage 1 sleep|1", "Stage 2 sleep|2", "Stage 3 sleep|3", "REM sleep|5"
)  # fmt: skip
EVENT_CONCEPTS = {
    "arousal": ("Arousals|Arousals", "Arousal|Arousal ()", "EEG"),
    "hypopnea": ("Respiratory|Respiratory", "Hypopnea|Hypopnea", "AIRFLOW"),
    "apnea_obstructive": ("Respiratory|Respiratory", "Obstructive apnea|Obstructive Apnea", "AIRFLOW"),
    "apnea_central": ("Respiratory|Respiratory", "Central apnea|Central Apnea", "AIRFLOW"),
    "apnea_mixed": ("Respiratory|Respiratory", "Mixed apnea|Mixed Apnea", "AIRFLOW"),
    "desaturation": ("Respiratory|Respiratory", "SpO2 desaturation|SpO2 desaturation", "SaO2"),
}
SECOND_EEG = ("EEG(sec)", "EEG(sec)", "EEG(sec)", "EEG 2", "EEG2", "EEG sec", "EEG(SEC)")
FLOW = ("NEW AIR", "AIRFLOW", "New Air", "AUX")


class Shhs:
    """Adults of 40 and over at home, up to two visits years apart."""

    population = Population((40, 89), 0.48, 11.0, 0.9)
    rate_hz = 125.0
    mains_hz = 60.0

    def recording(self, person: Person, visit: int, rng: np.random.Generator) -> str:
        return f"shhs{visit}-{200001 + person.number}"

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        rng, visit = recorder.rng("dialect"), recorder.visit
        part, psg = f"shhs{visit.visit}", root / "polysomnography"
        clock = dt.timedelta(minutes=int(rng.integers(0, 150)))
        start = dt.datetime(1985, 1, 1, 21, 0) + clock
        write_edf(
            psg / "edfs" / part / f"{visit.recording}.edf",
            self._traces(recorder, rng),
            start=start,
            record_s=1,
        )
        xml = psg / "annotations-events-nsrr" / part / f"{visit.recording}-nsrr.xml"
        xml.parent.mkdir(parents=True, exist_ok=True)
        unscored_end = int(rng.integers(0, 4))  # scoring may stop before the recording does
        ET.ElementTree(self._xml(recorder, start, unscored_end)).write(xml, encoding="UTF-8", xml_declaration=True)
        person = visit.person
        ahi = recorder.events_per_h("apnea", "hypopnea")
        return {
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

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        path = root / "datasets" / "shhs-harmonized-dataset-0.21.0.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="cp1252") as stream:
            writer = csv.DictWriter(stream, list(rows[0]) if rows else ["nsrrid"])
            writer.writeheader()
            writer.writerows(rows)

    @staticmethod
    def _traces(recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
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

    @staticmethod
    def _xml(recorder: Recorder, start: dt.datetime, unscored_end: int) -> ET.Element:
        root = ET.Element("PSGAnnotation")
        ET.SubElement(root, "SoftwareVersion").text = "Compumedics"
        ET.SubElement(root, "EpochLength").text = "30"
        events = ET.SubElement(root, "ScoredEvents")

        def add(kind: str, concept: str, onset: float, duration: float, **more: str) -> None:
            event = ET.SubElement(events, "ScoredEvent")
            fields = {
                "EventType": kind,
                "EventConcept": concept,
                "Start": _seconds(onset),
                "Duration": _seconds(duration),
            }
            for name, text in (fields | more).items():
                ET.SubElement(event, name).text = text

        clock = start.strftime("%d.%m.%y %H.%M.%S")
        add("", "Recording Start Time", 0, recorder.duration_s, ClockTime=clock)
        for e in recorder.night.events:
            kind, concept, location = EVENT_CONCEPTS[e.kind]
            more = {"SpO2Nadir": "90", "SpO2Baseline": "95"} if e.kind == "desaturation" else {}
            add(kind, concept, e.onset_s, e.duration_s, SignalLocation=location, **more)
        stages = recorder.scored()
        labels = [STAGE_CONCEPTS[stage] for stage in stages[: len(stages) - unscored_end]]
        for onset, duration, concept in runs(labels):
            add("Stages|Stages", concept, onset, duration)
        return root


def _seconds(value: float) -> str:
    """Write seconds as the converter does: at most two decimals, no trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


DIALECT = Shhs()

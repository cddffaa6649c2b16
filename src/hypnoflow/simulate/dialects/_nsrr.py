"""What the cohorts of sleepdata.org share on disk: folders, NSRR and Profusion XML, and tables.

The XML follows NSRR's converter (github.com/nsrr/edf-editor-translator): runs of equal stages, decimal seconds from
the recording's first sample, "name|vendor's name" as the concept.
"""

from __future__ import annotations

import csv
import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hypnoflow.simulate.dialect import Trace, runs, write_edf
from hypnoflow.simulate.persons import Person, Population
from hypnoflow.simulate.recorder import Recorder
from hypnoflow.types import Event

STAGE_CONCEPTS = {
    0: "Wake|0", 1: "Stage 1 sleep|1", 2: "Stage 2 sleep|2", 3: "Stage 3 sleep|3", 4: "Stage 4 sleep|4",
    5: "REM sleep|5", 6: "Movement|6", 9: "Unscored|9",
}  # fmt: skip
CODES = np.array([0, 1, 2, 3, 5])  # of W N1 N2 N3 R
MOVEMENT, UNSCORED = 6, 9
RESPIRATORY = {
    "hypopnea": "Hypopnea|Hypopnea",
    "apnea_obstructive": "Obstructive apnea|Obstructive Apnea",
    "apnea_central": "Central apnea|Central Apnea",
    "apnea_mixed": "Mixed apnea|Mixed Apnea",
    "desaturation": "SpO2 desaturation|SpO2 desaturation",
}
AROUSALS = (
    "Arousal|Arousal ()", "Arousal|Arousal (Standard)", "Arousal|Arousal (STANDARD)", "ASDA arousal|Arousal (ASDA)",
    "ASDA arousal|Arousal (asda)", "ASDA arousal|Arousal (ADSA)", "Spontaneous arousal|Arousal (ARO SPONT)",
    "Spontaneous arousal|Arousal (spon aro)", "Spontaneous arousal|Arousal (apon aro)",
    "Arousal resulting from respiratory effort|Arousal (ARO RES)",
    "Arousal resulting from respiratory effort|Arousal (RESP ARO)", "External arousal|Arousal (External Arousal)",
    "Arousal resulting from Chin EMG|Arousal (Cheshire)", "Arousal resulting from Chin EMG|Arousal (CHESHIRE)",
    "Arousal resulting from periodic leg movement|Arousal (PLM)",
    "Arousal resulting from periodic leg movement|Arousal (PLM ARO)",
)  # fmt: skip
LIMBS = (
    "Limb movement - left|Limb Movement (Left)",
    "Limb movement - right|Limb Movement (Right)",
    "Periodic leg movement - left|PLM (Left)",
    "Periodic leg movement - right|PLM (Right)",
)
SPO2_LOWEST, SPO2_DROP = 90, 5


@dataclass(frozen=True, slots=True)
class Mark:
    """One event of the scoring: NSRR's words for it, and further elements in the order of the file."""

    kind: str  # EventType, e.g. "Respiratory|Respiratory"
    concept: str
    onset_s: float
    duration_s: float
    more: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scoring:
    """What the experts of one recording wrote.

    codes : list of int
        Compumedics stage of each 30-s epoch; may end before the recording does.
    """

    codes: list[int]
    marks: list[Mark]


class NsrrDialect:
    """A cohort of sleepdata.org as its download client leaves it."""

    population: Population
    rate_hz: float
    mains_hz = 60.0
    record_s = 1.0
    flow, spo2, eeg = "AIRFLOW", "SpO2", "C4"  # signals that the events are said to be on
    arousals: tuple[str, ...] = AROUSALS
    limbs: tuple[str, ...] = LIMBS
    unsure: tuple[str, float] = ("", 0.0)  # kind of event written as "Unsure", and how often
    stage_4_share = 0.0  # of deep sleep; AASM has none, Rechtschaffen and Kales with 3 and 4 pooled hardly any
    movement_share = 0.0  # of wake, written as movement time
    sleep_wake_share = 0.0  # of recordings, whose sleep is all written as stage 2

    def visits(self, person: Person) -> int:
        """Return how many visits a person makes who comes back."""
        return 1

    def folder(self, recorder: Recorder) -> str:
        """Return the sub-folder, repeated under signals and annotations; "" for none."""
        return ""

    def traces(self, recorder: Recorder, rng: np.random.Generator) -> list[Trace]:
        """Return the signals of the EDF file, in order."""
        raise NotImplementedError

    def tables(self, recorder: Recorder) -> dict[str, dict[str, Any]]:
        """Return the recording's row in each table, by file name."""
        raise NotImplementedError

    def write(self, root: Path, recorder: Recorder) -> dict[str, Any]:
        rng, stem, folder = recorder.rng("dialect"), recorder.visit.recording, self.folder(recorder)
        start = dt.datetime(1985, 1, 1, 21, 0) + dt.timedelta(minutes=int(rng.integers(0, 150)))
        psg = root / "polysomnography"
        traces = self.traces(recorder, rng)
        write_edf(psg / "edfs" / folder / f"{stem}.edf", traces, start=start, record_s=self.record_s)
        scoring = self.score(recorder, rng)
        xml = nsrr_xml(scoring, start, recorder.duration_s)
        _write_xml(psg / "annotations-events-nsrr" / folder / f"{stem}-nsrr.xml", xml)
        _write_xml(psg / "annotations-events-profusion" / folder / f"{stem}-profusion.xml", profusion_xml(scoring))
        return self.tables(recorder)

    def write_tables(self, root: Path, rows: list[dict[str, Any]]) -> None:
        tables: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            for name, line in row.items():
                tables.setdefault(name, []).append(line)
        for name, lines in tables.items():
            write_csv(root / "datasets" / name, lines)

    def sleep_wake_only(self, recorder: Recorder) -> bool:
        """Return whether sleep was not staged; never so for the first two persons."""
        rare = recorder.rng("dialect", "sleep/wake").random() < self.sleep_wake_share
        return bool(rare) and recorder.visit.person.number >= 2

    def score(self, recorder: Recorder, rng: np.random.Generator) -> Scoring:
        """Return the experts' stages and events; scoring may stop before the recording does."""
        unscored = int(rng.integers(0, 4))
        codes = self._codes(recorder)
        codes = codes[: len(codes) - unscored]
        marks = [self._mark(event, recorder, rng) for event in recorder.night.events]
        if self.sleep_wake_only(recorder):
            codes = [2 if 1 <= code <= 5 else code for code in codes]
            marks = [mark for mark in marks if mark.kind != "Arousals|Arousals"]
        marks += self.unasked(recorder)
        return Scoring(codes, sorted(marks, key=lambda mark: mark.onset_s))

    def _codes(self, recorder: Recorder) -> list[int]:
        rng, codes = recorder.rng("dialect", "stages"), CODES[recorder.scored()]
        doubt = rng.random(len(codes))
        codes[(codes == 3) & (doubt < self.stage_4_share)] = 4
        codes[(codes == 0) & (doubt < self.movement_share)] = MOVEMENT
        return [int(code) for code in codes]

    def _mark(self, event: Event, recorder: Recorder, rng: np.random.Generator) -> Mark:
        where = (event.onset_s, event.duration_s)
        if event.kind == "arousal":
            favourite = int(recorder.rng("dialect", "arousal").integers(len(self.arousals)))
            if len(self.arousals) > 1 and rng.random() < 0.3:
                favourite = int(rng.integers(len(self.arousals)))
            concept = self.arousals[favourite]
            return Mark("Arousals|Arousals", concept, *where, {"SignalLocation": self.eeg})
        concept, location = RESPIRATORY[event.kind], self.flow
        more: dict[str, str] = {}
        if event.kind == "desaturation":
            location = self.spo2
            more = {"SpO2Nadir": str(SPO2_LOWEST), "SpO2Baseline": str(SPO2_LOWEST + SPO2_DROP)}
        elif event.kind == self.unsure[0] and rng.random() < self.unsure[1]:
            concept = "Unsure|Unsure"
        return Mark("Respiratory|Respiratory", concept, *where, {"SignalLocation": location} | more)

    def unasked(self, recorder: Recorder) -> list[Mark]:
        """Return what the hidden truth does not know: limb movements, a stretch of bad oximetry, a note."""
        rng, end_s = recorder.rng("dialect", "unasked"), recorder.duration_s
        marks = [Mark("Technician Notes", "Technician Notes", 61.5, 1.0, {"Notes": "Lights Off"})]
        onset_s = round(float(rng.uniform(0, end_s - 60)), 1)
        location = {"SignalLocation": self.spo2}
        marks.append(Mark("Respiratory|Respiratory", "SpO2 artifact|SpO2 artifact", onset_s, 12.0, location))
        if not self.limbs:
            return marks
        for onset_s in np.sort(rng.uniform(0, end_s - 10, rng.poisson(12 * end_s / 3600))):
            concept, length_s = str(rng.choice(self.limbs)), round(float(rng.uniform(0.5, 5)), 1)
            side = {"SignalLocation": "L Leg" if "left" in concept else "R Leg"}
            kind = "Limb Movement|Limb Movement"
            marks.append(Mark(kind, concept, round(float(onset_s), 1), length_s, side))
        return marks


def nsrr_xml(scoring: Scoring, start: dt.datetime, duration_s: float) -> ET.Element:
    """Return an NSRR annotation tree: the recording's start, the events, then runs of equal stages."""
    root = ET.Element("PSGAnnotation")
    ET.SubElement(root, "SoftwareVersion").text = "Compumedics"
    ET.SubElement(root, "EpochLength").text = "30"
    events = ET.SubElement(root, "ScoredEvents")
    clock = {"ClockTime": start.strftime("%d.%m.%y %H.%M.%S")}
    stages = runs([STAGE_CONCEPTS[code] for code in scoring.codes])
    marks = [Mark("", "Recording Start Time", 0, duration_s, clock), *scoring.marks]
    marks += [Mark("Stages|Stages", concept, onset, length) for onset, length, concept in stages]
    for mark in marks:
        times = {"Start": seconds(mark.onset_s), "Duration": seconds(mark.duration_s)}
        _children(events, "ScoredEvent", {"EventType": mark.kind, "EventConcept": mark.concept} | times | mark.more)
    return root


def profusion_xml(scoring: Scoring) -> ET.Element:
    """Return a Compumedics Profusion tree: the vendor's own names, and one stage per 30-s epoch."""
    root = ET.Element("CMPStudyConfig")
    ET.SubElement(root, "EpochLength").text = "30"
    ET.SubElement(root, "StepChannels")
    ET.SubElement(root, "ScoredEventSettings")
    events = ET.SubElement(root, "ScoredEvents")
    for mark in scoring.marks:
        name = mark.more.get("Notes", mark.concept.rpartition("|")[2])
        fields = {"Name": name, "Start": seconds(mark.onset_s), "Duration": seconds(mark.duration_s)}
        if "SpO2Nadir" in mark.more:  # these two come before the name
            fields = {"LowestSpO2": str(SPO2_LOWEST), "Desaturation": str(SPO2_DROP)} | fields
        _children(events, "ScoredEvent", fields | {"Input": mark.more.get("SignalLocation", "")})
    stages = ET.SubElement(root, "SleepStages")
    for code in scoring.codes:
        ET.SubElement(stages, "SleepStage").text = str(code)
    ET.SubElement(root, "Montage")
    return root


def seconds(value: float) -> str:
    """Write seconds as the converter does: at most two decimals, no trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _children(parent: ET.Element, tag: str, fields: dict[str, str]) -> None:
    element = ET.SubElement(parent, tag)
    for name, text in fields.items():
        ET.SubElement(element, name).text = text


def _write_xml(path: Path, root: ET.Element) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a table in windows-1252, as the NSRR's are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="cp1252") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def persons_columns(person: Person, years_later: float = 0.0) -> dict[str, Any]:
    """Return the harmonized columns that describe a person; ages above 89 are written as 90."""
    age_y = person.age_y + years_later
    return {
        "nsrr_age": 90 if age_y > 89 else round(age_y, 1),
        "nsrr_age_gt89": "yes" if age_y > 89 else "no",
        "nsrr_sex": person.sex,
        "nsrr_race": "not reported",
        "nsrr_ethnicity": "not reported",
        "nsrr_bmi": person.bmi,
    }


def sleep_columns(
    recorder: Recorder, ahi: Sequence[str], total_sleep: str, sleep_wake_only: bool = False
) -> dict[str, Any]:
    """Return the harmonized columns that describe a night.

    Parameters
    ----------
    ahi : sequence of str
        Columns of the apnea-hypopnea index. The simulator has hypopneas of one kind: indices that ask for a
        desaturation of 4 % (hp4) get four fifths of the first column's.
    total_sleep : str
        The cohort's column of total sleep time, min.
    sleep_wake_only : bool
        Whether sleep was not staged, nor arousals scored.
    """
    per_h = recorder.events_per_h("apnea", "hypopnea")
    strict = [0.8 if "hp4" in column and "hp4" not in ahi[0] else 1.0 for column in ahi]
    return {column: round(per_h * factor, 3) for column, factor in zip(ahi, strict, strict=True)} | {
        total_sleep: float(np.count_nonzero(recorder.scored()) / 2),
        "nsrr_phrnumar_f1": "" if sleep_wake_only else round(recorder.events_per_h("arousal"), 3),
        "nsrr_flag_spsw": "sleep/wake only" if sleep_wake_only else "full scoring",
    }

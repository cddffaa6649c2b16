"""NSRR XML: run-length stages and events in one list, times in seconds from the recording's start."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import parse

from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations._events import possible
from hypnoflow.native.damaged import PARSER_ERRORS, cause, seconds
from hypnoflow.types import Annotations, Event, StageRun

STAGES = "Stages|Stages"
NOTES = "Technician Notes"  # where the converter puts vendor names that its table lacks
RESPIRATORY = {
    "obstructive apnea": "apnea_obstructive",
    "central apnea": "apnea_central",
    "mixed apnea": "apnea_mixed",
    "apnea": "apnea",
    "hypopnea": "hypopnea",
    "obstructive hypopnea": "hypopnea",
    "central hypopnea": "hypopnea",
    "mixed hypopnea": "hypopnea",
    "spo2 desaturation": "desaturation",
    "respiratory effort related arousal": "rera",
}


def read_nsrr_xml(path: Path, unsure: str = "hypopnea") -> Annotations:
    """Read an NSRR annotation file.

    Parameters
    ----------
    path : Path
        The ``-nsrr.xml`` file.
    unsure : str
        Kind of event that this cohort's "Unsure" means.

    Returns
    -------
    Annotations
        One scorer, "expert"; stage labels are the file's concepts, e.g. "Stage 2 sleep|2".

    Raises
    ------
    RecordingError
        If the file is not well-formed, is not NSRR XML, or an event has no readable time.
    """
    try:
        root = parse(path).getroot()
    except PARSER_ERRORS as error:
        raise RecordingError(f"not readable as XML ({cause(error)})", path=path) from error
    if root is None or root.tag != "PSGAnnotation":
        tag = "" if root is None else root.tag
        raise RecordingError(f"root element is <{tag}>, expected <PSGAnnotation> (NSRR XML)", path=path)
    runs: list[StageRun] = []
    events: list[Event] = []
    for element in root.iterfind("ScoredEvents/ScoredEvent"):
        kind, concept = (element.findtext(tag) or "" for tag in ("EventType", "EventConcept"))
        if concept == "Recording Start Time":
            continue
        onset_s, duration_s = _seconds(element, "Start", path), _seconds(element, "Duration", path)
        if kind == STAGES:
            if duration_s < 0:
                raise RecordingError(f"stage {concept!r} at {onset_s:g} s lasts {duration_s:g} s", path=path)
            runs.append(StageRun(onset_s, duration_s, concept))
        else:
            if concept == NOTES:
                concept = _note(element)
            where = element.findtext("SignalLocation") or ""
            events.append(Event(onset_s, duration_s, event_kind(kind, concept, unsure), where, concept))
    return Annotations({"expert": runs}, *possible(events))


def event_kind(kind: str, concept: str, unsure: str) -> str:
    """Return the `EVENT_KINDS` name of an NSRR event type and concept."""
    name = concept.partition("|")[0].strip().lower()
    if kind.startswith("Arousals|"):  # RERA too, where a data set files it there
        return "arousal"
    if name in RESPIRATORY:
        return RESPIRATORY[name]
    if name == "unsure":
        return unsure
    if "arousal" in name:
        return "arousal"
    if kind.startswith("Limb Movement|"):
        return "limb_movement"
    return "other"


def _note(element: Element) -> str:
    """Return the vendor's name of an event that became a note, if it is an arousal's; other notes are free text."""
    text = (element.findtext("Notes") or "").strip()
    return f"Arousal|{text}" if text.lower().startswith("arousal (") else NOTES


def _seconds(element: Element, tag: str, path: Path) -> float:
    text = element.findtext(tag)
    value = seconds(text or "")
    if math.isnan(value):
        raise RecordingError(f"event {element.findtext('EventConcept')!r} has {tag} {text!r}", path=path)
    return value

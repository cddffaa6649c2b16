"""NSRR XML: run-length stages and events in one list, times in seconds from the recording's start."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations._events import possible
from hypnoflow.native.annotations._xml import number_in, root_of
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
    root = root_of(path, "PSGAnnotation", "NSRR XML")
    runs: list[StageRun] = []
    events: list[Event] = []
    for element in root.iterfind("ScoredEvents/ScoredEvent"):
        kind, concept = (element.findtext(tag) or "" for tag in ("EventType", "EventConcept"))
        if concept == "Recording Start Time":
            continue
        about = f"event {element.findtext('EventConcept')!r}"
        onset_s, duration_s = (number_in(element, tag, about, path) for tag in ("Start", "Duration"))
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

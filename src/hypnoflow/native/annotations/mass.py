"""Events of the Montreal Archive of Sleep Studies: EDF+ annotations whose texts are XML elements."""

from __future__ import annotations

from pathlib import Path

from defusedxml.ElementTree import fromstring

from hypnoflow.native.damaged import PARSER_ERRORS
from hypnoflow.native.edf import EdfFile
from hypnoflow.types import Event

# Part of a group's or event's name in small letters → kind; the first that fits counts.
KINDS = {
    "rera": "rera",
    "microarousal": "arousal",
    "arousal": "arousal",
    "hypopnea": "hypopnea",
    "obstructiveapnea": "apnea_obstructive",
    "centralapnea": "apnea_central",
    "mixedapnea": "apnea_mixed",
    "apnea": "apnea",
    "desat": "desaturation",
    "plm": "limb_movement",
    "limb": "limb_movement",
}


def read_mass_events(path: Path) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    """Return the events of an ``Annotations.edf``, and a warning where texts are not XML."""
    events, others = [], 0
    for run in EdfFile(path).annotations():
        try:
            element = fromstring(run.label)
        except PARSER_ERRORS:
            others += 1
            continue
        group, name = element.get("groupName", ""), element.get("name", "")
        words = f"{group} {name}".lower().replace(" ", "")
        kind = next((kind for part, kind in KINDS.items() if part in words), "other")
        events.append(Event(run.onset_s, run.duration_s, kind, element.get("channel", ""), group or name))
    return tuple(events), (f"{others} annotations are not XML; left out",) if others else ()

"""The words that files use for events → `EVENT_KINDS`, for dialects without a fixed vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hypnoflow.types import Event

PATTERNS = (  # the first that is found decides: an "arousal resulting from apnea" is an arousal
    (r"\brera\b|respiratory effort.related arousal", "rera"),
    (r"arousal", "arousal"),
    (r"hypopn", "hypopnea"),
    (r"obstructive.*apn|apn.*obstructive", "apnea_obstructive"),
    (r"central.*apn|apn.*central", "apnea_central"),
    (r"mixed.*apn|apn.*mixed", "apnea_mixed"),
    (r"desat", "desaturation"),
    (r"limb|leg movement|\bplms?\b|\blms?\b", "limb_movement"),
)


def possible(events: Iterable[Event]) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    """Return the events that do not end before they begin, and a warning where there are others."""
    found = list(events)
    kept = tuple(event for event in found if event.duration_s >= 0)
    lost = next((event for event in found if event.duration_s < 0), None)
    if lost is None:
        return kept, ()
    said = (
        f"{len(found) - len(kept)} events end before they begin, first {lost.source!r} at {lost.onset_s:g} s; left out"
    )
    return kept, (said,)


def kind_of(name: str, unsure: str = "other") -> str:
    """Return the kind of event that a free text names, "other" where it names none.

    Parameters
    ----------
    name : str
        E.g. "Obstructive Apnea", "Arousal (ASDA)", "apnea_central".
    unsure : str
        What this dialect means by "Unsure".
    """
    text = name.lower().replace("_", " ")
    if text.strip() == "unsure":
        return unsure
    return next((kind for pattern, kind in PATTERNS if re.search(pattern, text)), "other")

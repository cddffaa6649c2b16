"""Channels that a person names: a file's own labels, standard labels, or differences of two signals."""

from __future__ import annotations

from collections.abc import Sequence

from hypnoflow.channels.derive import Pick, normal, pick_by_name
from hypnoflow.channels.names import Name, parse_name
from hypnoflow.errors import RecordingError, did_you_mean
from hypnoflow.types import KINDS, SCORED_KINDS, Kind


def pick_by_label(wanted: Sequence[str], labels: Sequence[str]) -> list[Pick]:
    """Return the EEG and EOG channels that a person names, in that order, each once.

    A name is, in this order, a label of the file ("EEG Fpz-Cz"), a standard label that the file's labels give by
    themselves or against the opposite mastoid ("C4-M1"), or a difference "A-B" of two of its signals. A signal whose
    label does not tell its kind is taken as EEG.

    Raises
    ------
    RecordingError
        For a name that the file cannot serve, with what it has; and for a signal that is neither EEG nor EOG.
    """
    picks: dict[str, Pick] = {}
    for name in wanted:
        pick = _own(name, labels) or _standard(name, labels) or _difference(name, labels)
        if pick is None:
            close = did_you_mean(normal(name), map(normal, labels))
            raise RecordingError(
                f"no channel {name!r} and no two signals that make it{close}; the file has {', '.join(labels)}",
                hint="give labels as they stand in the file, standard labels such as C4-M1, differences A-B, or auto",
            )
        picks.setdefault(pick.label, pick)
    return list(picks.values())


def _own(name: str, labels: Sequence[str]) -> Pick | None:
    """Return the signal of that very label."""
    found = next((label for label in labels if normal(label) == normal(name)), None)
    if found is None:
        return None
    parsed = parse_name(found)
    return Pick(parsed.label if parsed else found, _kind(parsed, name), found)


def _standard(name: str, labels: Sequence[str]) -> Pick | None:
    """Return the channel of that standard label, as it is found without being named."""
    parsed = parse_name(name)
    pick = next((p for p in pick_by_name(labels) if parsed and p.label == parsed.label), None)
    return pick if pick and _kind(parsed, name) else None


def _difference(name: str, labels: Sequence[str]) -> Pick | None:
    """Return the difference of two signals; a hyphen may also be part of a label."""
    for at in (i for i, letter in enumerate(name) if letter == "-"):
        plus, minus = _signal(name[:at], labels), _signal(name[at + 1 :], labels)
        if plus and minus and plus != minus:
            parsed = parse_name(name)
            return Pick(
                parsed.label if parsed else f"{plus}-{minus}", _kind(parsed or parse_name(plus), name), plus, minus
            )
    return None


def _signal(name: str, labels: Sequence[str]) -> str | None:
    """Return the label of a file that is, or means, one side of a difference."""
    parsed = parse_name(name)
    same = (label for label in labels if normal(label) == normal(name))
    alike = (label for label in labels if parsed and parse_name(label) == parsed)
    electrode = (label for label in labels if parsed and (other := parse_name(label)) and other.label == parsed.label)
    return next(same, None) or next(alike, None) or next(electrode, None)


def _kind(parsed: Name | None, name: str) -> Kind:
    """Return eeg or eog; what is named against a mastoid, or not known at all, is EEG."""
    kind = parsed.kind if parsed else "eeg"
    if kind in KINDS and kind not in SCORED_KINDS:
        raise RecordingError(f"the channel {name!r} is {kind.upper()}; sleep is scored from EEG and EOG")
    return "eog" if kind == "eog" else "eeg"

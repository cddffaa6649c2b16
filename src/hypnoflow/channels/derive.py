"""Derivations: which signals of a file, alone or as a difference, make which standard channel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypnoflow.channels.names import Name, parse_name
from hypnoflow.types import KINDS, Kind

OPPOSITE_MASTOID = {
    "3": "M2",
    "1": "M2",
    "5": "M2",
    "7": "M2",
    "4": "M1",
    "2": "M1",
    "6": "M1",
    "8": "M1",
    "z": "M2",
}


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """How a cohort's files provide one standard channel.

    sources : tuple of str
        Labels under which the finished derivation is found; it is never subtracted again.
    plus, minus : tuple of str
        Labels of the two electrodes, where the derivation has to be formed.
    unless : str
        Standard label in whose place this rule stands: it counts only where that one could not be made.

    Notes
    -----
    Several rules may name one label; the first that a file can serve is taken.
    """

    label: str
    kind: Kind
    sources: tuple[str, ...] = ()
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Pick:
    """One standard channel and the signals of this file that make it; `minus` is empty for a finished one."""

    label: str
    kind: Kind
    plus: str
    minus: str = ""

    @property
    def source(self) -> str:
        return f"{self.plus} - {self.minus}" if self.minus else self.plus


def normal(label: str) -> str:
    """Return a label for comparison: case and repeated blanks do not matter, everything else does."""
    return re.sub(r"\s+", " ", label.strip()).lower()


def pick_by_rules(rules: Sequence[ChannelRule], labels: Sequence[str]) -> list[Pick]:
    """Return the channels that a file provides under a cohort's rules, in the order of the rules."""
    have = {normal(label): label for label in reversed(labels)}  # the first of equal labels wins

    def first(wanted: Sequence[str]) -> str:
        return next((have[normal(label)] for label in wanted if normal(label) in have), "")

    picks: list[Pick] = []
    for rule in rules:
        if {rule.label, rule.unless} & {pick.label for pick in picks}:
            continue
        finished, plus, minus = first(rule.sources), first(rule.plus), first(rule.minus)
        if finished:
            picks.append(Pick(rule.label, rule.kind, finished))
        elif plus and minus:
            picks.append(Pick(rule.label, rule.kind, plus, minus))
    return picks


def pick_by_name(labels: Sequence[str]) -> list[Pick]:
    """Return the channels guessed from a file's labels alone.

    A label with a reference is taken as it is. An EEG or EOG electrode without one is referred to the opposite
    mastoid where the file has it, else taken as it is.
    """
    names = {label: parse_name(label) for label in labels}
    mastoids = {n.electrode: label for label, n in names.items() if n and n.kind == "reference" and not n.reference}
    picks: list[Pick] = []
    for label, name in names.items():
        if name is None or name.kind not in KINDS:
            continue
        pick = _pick(label, name, mastoids)
        if pick.label not in {p.label for p in picks}:
            picks.append(pick)
    return picks


def _pick(label: str, name: Name, mastoids: dict[str, str]) -> Pick:
    kind: Kind = next(kind for kind in KINDS if kind == name.kind)
    wanted = OPPOSITE_MASTOID.get(name.electrode[-1], "") if kind in ("eeg", "eog") else ""
    if not name.reference and wanted in mastoids:
        return Pick(f"{name.electrode}-{wanted}", kind, label, mastoids[wanted])
    return Pick(name.label, kind, label)

"""What a channel label says: electrode, reference and kind, by the alias table ``aliases.csv``."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import get_args

from hypnoflow.types import Kind

KINDS_AS_PREFIX = ("EEG", "EOG", "EMG", "ECG", "EKG", "RESP", "POL")
PREFIX = re.compile(rf"({'|'.join(KINDS_AS_PREFIX)})[\s_:.-]+(?=.)")
SEPARATOR = re.compile(r"[_/:]")
# A reference that the label does not name: all of a file's channels share it, so that two may be subtracted.
COMMON_REFERENCES = ("REF", "REFERENCE", "COMMON", "G2", "GND")


@dataclass(frozen=True, slots=True)
class Name:
    """A parsed label; `reference` is empty where the label names none, `kind` is "reference" for mastoids."""

    electrode: str
    reference: str
    kind: str

    @property
    def label(self) -> str:
        return f"{self.electrode}-{self.reference}" if self.reference else self.electrode


@cache
def aliases() -> dict[str, tuple[str, str]]:
    """Return {alias in capitals without separators: (electrode, kind)}."""
    text = files("hypnoflow.channels").joinpath("aliases.csv").read_text(encoding="utf-8")
    return {row["alias"]: (row["electrode"], row["kind"]) for row in csv.DictReader(text.splitlines())}


def parse_name(label: str) -> Name | None:
    """Return what `label` names, or None where the table does not know it.

    >>> parse_name("EEG F3-A2").label
    'F3-M2'
    >>> parse_name("C4A1").label
    'C4-M1'
    """
    upper = label.upper().strip()
    prefix = PREFIX.match(upper)
    candidates = [(upper[prefix.end() :], prefix[1])] if prefix else []
    for text, hint in [*candidates, (upper, "")]:
        name = _parse(text, hint)
        if name is not None:
            return name
    return None


def _parse(text: str, prefix: str) -> Name | None:
    whole = _bare(text)
    if whole in aliases():
        electrode, kind = aliases()[whole]
        return Name(electrode, "", kind)
    first, _, rest = SEPARATOR.sub("-", text).partition("-")
    plus, minus = _bare(first), _bare(rest)
    if not minus:
        return _joined(whole)
    if plus in KINDS_AS_PREFIX and (name := _parse(rest, plus)):
        return name
    electrode, kind = aliases().get(plus, ("", ""))
    if electrode and minus in COMMON_REFERENCES:
        return Name(electrode, "", kind)
    if not electrode or kind == "resp":
        return None  # "SpO2-Pleth" is not SpO2
    reference = aliases().get(minus, (minus if len(minus) <= 4 else minus.capitalize(), ""))[0]
    if prefix.lower() in get_args(Kind):
        kind = prefix.lower()
    return Name(electrode, reference, kind)


def _bare(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text)


def _joined(text: str) -> Name | None:
    """Read an electrode and its mastoid written without a separator, as in ``C3A2``."""
    electrode, kind = aliases().get(text[:-2], ("", ""))
    reference, is_reference = aliases().get(text[-2:], ("", ""))
    if kind in ("eeg", "eog") and electrode not in KINDS_AS_PREFIX and is_reference == "reference":
        return Name(electrode, reference, kind)
    return None

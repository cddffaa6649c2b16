"""What a channel label says: electrode, reference and kind, by the alias table ``aliases.csv``."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import get_args

from hypnoflow.types import Kind

PREFIXES = ("EEG", "EOG", "EMG", "ECG", "RESP")


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
    text = files("hypnoflow.channels").joinpath("aliases.csv").read_text()
    return {row["alias"]: (row["electrode"], row["kind"]) for row in csv.DictReader(text.splitlines())}


def parse_name(label: str) -> Name | None:
    """Return what `label` names, or None where the table does not know it.

    >>> parse_name("EEG F3-A2").label
    'F3-M2'
    """
    upper = label.upper().strip()
    prefix, _, rest = upper.partition(" ")
    candidates = [(rest, prefix)] if prefix in PREFIXES and rest else []
    for text, hint in [*candidates, (upper, "")]:
        name = _parse(text, hint)
        if name is not None:
            return name
    return None


def _parse(text: str, prefix: str) -> Name | None:
    whole = aliases().get(re.sub(r"[^A-Z0-9]", "", text))
    if whole is not None:
        return Name(whole[0], "", whole[1])
    plus, _, minus = (re.sub(r"[^A-Z0-9]", "", part) for part in re.sub(r"[_/:]", "-", text).partition("-"))
    found = aliases().get(plus)
    if found is None or not minus:
        return None
    electrode, kind = found
    reference = aliases().get(minus, (minus.capitalize(), ""))[0]
    if prefix.lower() in get_args(Kind):
        kind = prefix.lower()
    return Name(electrode, reference, kind)

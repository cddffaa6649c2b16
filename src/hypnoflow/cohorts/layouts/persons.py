"""A table of persons as any lab writes it: participants.tsv, or a CSV with columns for age, sex, AHI and BMI."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypnoflow.cohorts.layouts.tables import number
from hypnoflow.errors import CohortError
from hypnoflow.native.damaged import PARSER_ERRORS, cause

DEFAULT_NAMES = ("participants.tsv", "participants.csv")
COLUMNS = {  # what a column may be called, in small letters without units and separators
    "person": ("participantid", "participant", "subjectid", "subject", "personid", "person", "patientid", "patient"),
    "recording": ("recording", "recordingid", "file", "filename", "edf", "record"),
    "visit": ("visit", "session", "sessionid", "night"),
    "age": ("age", "agey", "ageyears", "nsrrage"),
    "sex": ("sex", "gender", "nsrrsex"),
    "ahi": ("ahi", "ahiperh", "rdi", "apneahypopneaindex"),
    "bmi": ("bmi", "bodymassindex", "nsrrbmi"),
}
SEX = {"f": "female", "female": "female", "woman": "female", "m": "male", "male": "male", "man": "male"}
MISSING = ("", "n/a", "na", "nan", "unknown", "not reported", "-")


@dataclass(frozen=True, slots=True)
class Person:
    """One row: whose recording, and what is known about this human; None is not known."""

    person: str
    recording: str
    visit: str
    age_y: float | None
    sex: str | None
    ahi_per_h: float | None
    bmi: float | None
    row: dict[str, str]
    problems: tuple[str, ...]


def find_table(root: Path, wanted: str | None) -> Path | None:
    """Return the table that the config names, or the one of the usual name, or None.

    Raises
    ------
    CohortError
        If the config names one that is not there.
    """
    if wanted is not None:
        path = root / wanted
        if not path.is_file():
            raise CohortError(f"no table of participants at {path}")
        return path
    return next((root / name for name in DEFAULT_NAMES if (root / name).is_file()), None)


class Persons:
    """A table of persons, to be asked about recordings."""

    def __init__(self, rows: Sequence[Person] = ()):
        self.rows = rows
        self._by_recording = {p.recording.lower(): p for p in reversed(rows) if p.recording}
        self._by_person = {p.person.lower(): p for p in reversed(rows) if p.person and not p.recording}

    def about(self, recording: str, path: str) -> Person | None:
        """Return the row about a recording: by its name or path, else by the participant that its name begins with."""
        for name in (recording, Path(path).stem, Path(path).name, path):
            if name.lower() in self._by_recording:
                return self._by_recording[name.lower()]
        text = recording.lower()
        ends = (end for end in range(len(text), 0, -1) if end == len(text) or not text[end].isalnum())
        return next((self._by_person[text[:end]] for end in ends if text[:end] in self._by_person), None)


def read_persons(path: Path) -> Persons:
    """Read a table of persons.

    Raises
    ------
    CohortError
        If it cannot be read, or neither a participant nor a recording is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        header = text.partition("\n")[0]
        mark = next((mark for mark in "\t;" if mark in header), ",")
        rows = [
            {(k or "").strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str | None)}
            for row in csv.DictReader(text.splitlines(), delimiter=mark)
        ]
    except PARSER_ERRORS as error:
        raise CohortError(f"cannot read {path}: {cause(error)}") from error
    names = {meaning: _column(list(rows[0]) if rows else [], accepted) for meaning, accepted in COLUMNS.items()}
    if rows and not names["person"] and not names["recording"]:
        raise CohortError(
            f"{path} names neither participants (column participant_id) nor recordings (column recording or file); "
            f"it has {', '.join(rows[0])}"
        )
    return Persons([_person(row, names) for row in rows])


def _column(header: Sequence[str], accepted: Sequence[str]) -> str:
    plain = {re.sub(r"\(.*\)|\[.*\]|[^a-z0-9]", "", name.lower()): name for name in reversed(header)}
    return next((plain[name] for name in accepted if name in plain), "")


def _person(row: dict[str, str], names: dict[str, str]) -> Person:
    cells = {meaning: row.get(name, "") if name else "" for meaning, name in names.items()}
    problems = []
    numbers: dict[str, float | None] = {}
    for meaning in ("age", "ahi", "bmi"):
        text = cells[meaning].replace(",", ".")
        numbers[meaning] = None if text.lower() in MISSING else number(text)
        if numbers[meaning] is None and text.lower() not in MISSING:
            problems.append(f"{names[meaning]} {cells[meaning]!r} is not a number")
    age = numbers["age"]
    if age is not None and not 0 <= age <= 120:
        problems.append(f"an age of {age:g} years is left out")
        numbers["age"] = None
    sex = SEX.get(cells["sex"].lower())
    if sex is None and cells["sex"].lower() not in MISSING:
        problems.append(
            f"{names['sex']} {cells['sex']!r} is left out: write F or M, since numbers mean different things in "
            "different labs"
        )
    return Person(
        person=cells["person"] or cells["recording"],
        recording=cells["recording"],
        visit=cells["visit"],
        age_y=numbers["age"],
        sex=sex,
        ahi_per_h=numbers["ahi"],
        bmi=numbers["bmi"],
        row=row,
        problems=tuple(problems),
    )

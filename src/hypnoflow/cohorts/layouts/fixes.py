"""Corrections of single recordings, kept as data in ``fixes.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

KINDS = ("exclude", "no_staging", "leave_out")


@dataclass(frozen=True, slots=True)
class Fix:
    """One correction.

    fix : {"exclude", "no_staging", "leave_out"}
        Do not use the recording, do not trust its stages, or do not use the channel `value`.
    """

    cohort: str
    recording: str
    fix: str
    value: str
    reason: str


@cache
def all_fixes() -> tuple[Fix, ...]:
    """Return every row of ``fixes.csv``."""
    text = files("hypnoflow.cohorts").joinpath("fixes.csv").read_text(encoding="utf-8")
    return tuple(Fix(**row) for row in csv.DictReader(text.splitlines()))


def fixes(cohort: str) -> list[Fix]:
    """Return the corrections of one cohort."""
    return [fix for fix in all_fixes() if fix.cohort == cohort]

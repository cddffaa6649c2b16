"""ISRUC-Sleep's tables of persons: a title, a line of groups, the header in the third row.

The layout is that of the real table of subgroup II; those of I and III are assumed to differ as their columns do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openpyxl import Workbook
from sklearn.metrics import cohen_kappa_score

from hypnoflow.simulate.persons import Person
from hypnoflow.types import StageArray

SHARES = ("W%", "N1%", "N2%", "N3%", "REM%")
PERSON = ("Subject", "Age", "Sex", "Diagnosis", "Other problems", "Epoches")
TAIL = {
    "I": ("Date of recording", "Medication", "EEG alterations"),
    "II": ("Cohen’s kappa", "Date of recording"),
    "III": ("Date of recording", "Medication", "EEG alterations"),
}


def demographics(person: Person, ahi_per_h: float, rng: np.random.Generator) -> dict[str, Any]:
    """Return a person's cells."""
    diagnosis = "SAOS" if ahi_per_h >= 5 else str(rng.choice(("RONCOPATIA", "Insomnia")))
    return {
        "Age": int(person.age_y),
        "Sex": "M" if person.male else "F",
        "Diagnosis": diagnosis,
        "Other problems": str(rng.choice(("", "split-night study", "PLMS"))) or None,
        "Medication": str(rng.choice(("", "Lorazepam"))) or None,
    }


def scoring(experts: list[StageArray]) -> dict[str, Any]:
    """Return the cells on the two experts' stages."""
    cells: dict[str, Any] = {"Epoches": len(experts[0])}
    for k, stages in enumerate(experts, start=1):
        for code, name in enumerate(SHARES):
            cells[f"{name} {k}"] = round(100 * float(np.mean(stages == code)), 2)
    cells["Cohen’s kappa"] = float(cohen_kappa_score(*experts))
    return cells


def details(subgroup: str, rows: list[dict[str, Any]]) -> Workbook:
    """Return the table of a subgroup from the rows of its recordings."""
    book = Workbook()
    sheet = book.active
    sheet.title = f"SSM4S,Binary-Subgroup{subgroup}"
    sheet.append([f"Details of subgroup-{subgroup} of ISRUC-Sleep dataset"])
    sheet.append([f"Method-SSM4S, Binary-Subgroup-{subgroup}"])
    sheet.cell(2, 7, "Percentage of each stage based on Visual Scoring. Expert-1")
    sheet.cell(2, 12, "Percentage of each stage based on Visual Scoring Expert-2")
    for cells in ("A1:R1", "A2:F2", "G2:K2", "L2:P2"):
        sheet.merge_cells(cells)
    columns = [*PERSON, *(f"{name} {k}" for k in (1, 2) for name in SHARES), *TAIL[subgroup]]
    sheet.append([*PERSON, *SHARES, *SHARES, *TAIL[subgroup]])  # the two experts' columns share their names
    for row in rows:
        sheet.append([row.get(column) for column in columns])
    sheet.cell(sheet.max_row + 6, 2, " ")  # a cell that only looks empty, far below the last person
    return book

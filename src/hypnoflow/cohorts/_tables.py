"""Reading demographics as they come: text with odd spacing, codes, missing cells."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import xlrd

from hypnoflow.errors import CohortError


def read_csv_rows(path: Path, needed: Sequence[str], encoding: str = "utf-8") -> list[dict[str, str]]:
    """Return a CSV's rows as text, blanks stripped from names and cells; CohortError without the `needed` columns."""
    try:
        with path.open(newline="", encoding=encoding) as stream:
            rows = [{(k or "").strip(): (v or "").strip() for k, v in row.items()} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"cannot read {path}: {error}") from error
    _check_columns(path, list(rows[0]) if rows else list(needed), needed)
    return rows


def read_xls_rows(path: Path, needed: Sequence[str]) -> list[dict[str, object]]:
    """Return the rows of a BIFF workbook's first sheet, whose first line names the columns."""
    try:
        sheet = xlrd.open_workbook(str(path)).sheet_by_index(0)
    except (OSError, xlrd.XLRDError) as error:
        raise CohortError(f"cannot read {path}: {error}") from error
    names = [str(cell).strip() for cell in sheet.row_values(0)] if sheet.nrows else []
    _check_columns(path, names, needed)
    return [dict(zip(names, sheet.row_values(i), strict=True)) for i in range(1, sheet.nrows)]


def _check_columns(path: Path, found: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in found]
    if missing:
        raise CohortError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(found)}")


def number(value: object) -> float | None:
    """Return a cell as a number, None where it is empty or not one."""
    try:
        return float(str(value))
    except ValueError:
        return None

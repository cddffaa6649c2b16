"""Reading demographics as they come: text with odd spacing, codes, missing cells."""

from __future__ import annotations

import csv
from pathlib import Path

import xlrd

from hypnoflow.errors import CohortError


def read_csv_rows(path: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    """Return a CSV's rows as text, blanks stripped from names and cells."""
    try:
        with path.open(newline="", encoding=encoding) as stream:
            return [{(k or "").strip(): (v or "").strip() for k, v in row.items()} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"cannot read {path}: {error}") from error


def read_xls_rows(path: Path) -> list[dict[str, object]]:
    """Return the rows of a BIFF workbook's first sheet, whose first line names the columns."""
    try:
        sheet = xlrd.open_workbook(str(path)).sheet_by_index(0)
    except (OSError, xlrd.XLRDError) as error:
        raise CohortError(f"cannot read {path}: {error}") from error
    names = [str(cell).strip() for cell in sheet.row_values(0)]
    return [dict(zip(names, sheet.row_values(i), strict=True)) for i in range(1, sheet.nrows)]


def number(value: object) -> float | None:
    """Return a cell as a number, None where it is empty or not one."""
    try:
        return float(str(value))
    except ValueError:
        return None

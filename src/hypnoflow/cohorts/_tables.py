"""Reading demographics as they come: text with odd spacing, codes, missing cells, titles above the header."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import openpyxl
import xlrd

from hypnoflow.errors import CohortError


def read_csv_rows(path: Path, needed: Sequence[str], encoding: str = "utf-8") -> list[dict[str, str]]:
    """Return a CSV's rows as text, blanks stripped from names and cells; CohortError without the `needed` columns."""
    try:
        with path.open(newline="", encoding=encoding) as stream:
            rows = [{(k or "").strip(): _cell(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"cannot read {path}: {error}") from error
    missing = [name for name in needed if rows and name not in rows[0]]
    if missing:
        raise CohortError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(rows[0])}")
    return rows


def _cell(value: str | list[str] | None) -> str:
    """Return a cell's text; a line with too many cells gives a list."""
    return " ".join(value) if isinstance(value, list) else (value or "").strip()


def read_sheet(path: Path) -> list[list[object]]:
    """Return all cells of the first sheet of a workbook, ``.xls`` (BIFF) or ``.xlsx``, line by line."""
    try:
        if path.suffix.lower() == ".xls":
            sheet = xlrd.open_workbook(str(path)).sheet_by_index(0)
            return [list(sheet.row_values(i)) for i in range(sheet.nrows)]
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            return [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
        finally:
            book.close()
    except (OSError, xlrd.XLRDError, BadZipFile, KeyError, ValueError, IndexError) as error:
        raise CohortError(f"cannot read {path}: {error}") from error


def read_sheet_rows(path: Path, needed: Sequence[str]) -> list[dict[str, object]]:
    """Return the rows below the first line that names all `needed` columns.

    Raises
    ------
    CohortError
        If the workbook cannot be read or has no such line.
    """
    cells = read_sheet(path)
    for i, line in enumerate(cells):
        names = [str(cell).strip() if cell is not None else "" for cell in line]
        if set(needed) <= set(names):
            return [dict(zip(names, row, strict=False)) for row in cells[i + 1 :]]
    raise CohortError(f"{path}: no line names the columns {', '.join(needed)}")


def number(value: object) -> float | None:
    """Return a cell as a number, None where it is empty or not one."""
    try:
        result = float(str(value))
    except ValueError:
        return None
    return result if math.isfinite(result) else None


def newest(root: Path, pattern: str) -> Path | None:
    """Return the last by name of the files that fit `pattern` anywhere below `root`, None where there is none."""
    return next(iter(sorted(root.rglob(pattern), reverse=True)), None)

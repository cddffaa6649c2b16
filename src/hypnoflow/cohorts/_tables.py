"""Reading demographics as they come: text with odd spacing, codes, missing cells, titles above the header."""

from __future__ import annotations

import csv
import fnmatch
import io
import math
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import openpyxl
import xlrd
from openpyxl.utils.exceptions import InvalidFileException

from hypnoflow.errors import CohortError
from hypnoflow.io._damaged import PARSER_ERRORS, cause

# What the two libraries raise on damaged workbooks beside the usual: `xlrd` has errors of its own, and asserts.
SHEET_ERRORS = (
    *PARSER_ERRORS, xlrd.XLRDError, xlrd.compdoc.CompDocError, AssertionError, BadZipFile, InvalidFileException,
    zlib.error,
)  # fmt: skip


def files_below(root: Path, pattern: str) -> list[Path]:
    """Return the files below `root` whose name fits `pattern`, sorted.

    Folders that are links are entered, each once. Hidden files and folders are left out: copies that a server or
    macOS keeps ("._1.rec", ".snapshot") are no recordings.
    """
    found: list[Path] = []
    entered = {os.path.realpath(root)}
    for folder, folders, names in os.walk(root, followlinks=True):
        real = {os.path.realpath(Path(folder, name)): name for name in sorted(folders, reverse=True) if name[0] != "."}
        folders[:] = [name for path, name in real.items() if path not in entered]
        entered.update(real)
        found += [Path(folder, name) for name in fnmatch.filter(names, pattern) if name[0] != "."]
    return sorted(found)


def read_csv_rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """Return a CSV's rows as text, blanks stripped from names and cells; CohortError without the `needed` columns.

    The file is UTF-8, with or without a byte-order mark, or windows-1252.
    """
    try:
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows = [{(k or "").strip(): _cell(v) for k, v in row.items()} for row in reader]
    except (OSError, csv.Error) as error:
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
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # the size that a file states is often that of an earlier version
            rows = list(sheet.iter_rows(values_only=True))
            width = max(map(len, rows), default=0)
            return [[*row, *[None] * (width - len(row))] for row in rows]
        finally:
            book.close()
    except SHEET_ERRORS as error:
        raise CohortError(f"cannot read {path}: {cause(error)}") from error


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
    """Return the last of the files that fit `pattern` anywhere below `root`, None where there is none.

    Numbers in names count as such: 0.14.0 comes after 0.9.0.
    """
    return max(files_below(root, pattern), key=lambda path: (_parts(path.name), path), default=None)


def _parts(name: str) -> list[tuple[int, int, str]]:
    """Return a name's numbers and texts in turn, for comparison."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]

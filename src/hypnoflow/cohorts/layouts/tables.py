"""Reading demographics as they come: text with odd spacing, codes, missing cells, titles above the header."""

from __future__ import annotations

import csv
import fnmatch
import io
import math
import os
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import xlrd
from openpyxl.utils.exceptions import InvalidFileException
from xlrd.compdoc import CompDocError

from hypnoflow.errors import CohortError
from hypnoflow.native.damaged import PARSER_ERRORS, cause

UNPACKED_BYTES = 256 * 2**20  # of a workbook; more would fill the memory
MOST_ROWS, MOST_COLUMNS = 200_000, 2_000
SHEET_ERRORS = (*PARSER_ERRORS, xlrd.XLRDError, CompDocError, InvalidFileException)


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
    except PARSER_ERRORS as error:
        raise CohortError(f"cannot read {path}: {cause(error)}") from error
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
            return _xls(path)
        return _xlsx(path)
    except SHEET_ERRORS as error:
        raise CohortError(f"cannot read {path}: {cause(error)}") from error


def _xls(path: Path) -> list[list[object]]:
    remarks = io.StringIO()  # which xlrd would print
    sheet = xlrd.open_workbook(str(path), logfile=remarks, ragged_rows=True).sheet_by_index(0)
    return _bounded(sheet.row_values(i) for i in range(sheet.nrows))


def _xlsx(path: Path) -> list[list[object]]:
    with ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > UNPACKED_BYTES:
        raise ValueError(f"it unpacks to {unpacked} bytes")
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its size is wrong in many
        return _bounded(sheet.iter_rows(values_only=True))
    finally:
        book.close()


def _bounded(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """Return the rows as lists; ValueError for more than any table of persons or events has."""
    cells = [list(row) for row in islice(rows, MOST_ROWS + 1)]
    if len(cells) > MOST_ROWS or any(len(row) > MOST_COLUMNS for row in cells):
        raise ValueError(f"it has more than {MOST_ROWS} rows or {MOST_COLUMNS} columns")
    width = max(map(len, cells), default=0)
    return [row + [None] * (width - len(row)) for row in cells]


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
            return [dict(zip(names, [*row, *[None] * len(names)], strict=False)) for row in cells[i + 1 :]]
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

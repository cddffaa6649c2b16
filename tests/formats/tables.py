"""Tables of a cohort's persons, and made-up workbooks that claim more than they hold."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import xlwt
from openpyxl import Workbook

from hypnoflow.cohorts.layouts.persons import read_persons
from hypnoflow.cohorts.layouts.tables import number, read_csv_rows, read_sheet_rows
from tests.fuzzing import Files, Format

HEADER = ("Study Number", "Age", "Gender", "BMI")
ROWS = (("UCDDB002", 54, "M", 32.5), ("UCDDB003", "", "F", 27.0), ("UCDDB005", 65, "M", None))


def xls() -> Files:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet1")
    for i, row in enumerate((("Subjects",), HEADER, *ROWS)):
        for j, cell in enumerate(row):
            sheet.write(i, j, cell)
    target = io.BytesIO()
    book.save(target)
    return {"a.xls": target.getvalue()}


def xlsx() -> Files:
    book = Workbook()
    for row in (("Subjects",), HEADER, *ROWS):
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return {"a.xlsx": target.getvalue()}


def read_book(folder: Path) -> None:
    (path,) = folder.iterdir()
    rows = read_sheet_rows(path, HEADER[:2])
    assert all({"Study Number", "Age"} <= set(row) for row in rows)
    assert all(number(row["Age"]) is None or isinstance(number(row["Age"]), float) for row in rows)


def changed_sheet(before: str, after: str) -> bytes:
    """Return the workbook with one text of its sheet replaced, its checksums right."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx()["a.xlsx"])) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            text = old.read(name)
            if name.endswith("sheet1.xml"):
                assert before.encode() in text
                text = text.replace(before.encode(), after.encode())
            new.writestr(name, text)
    return target.getvalue()


BOOK_BOMBS = (
    changed_sheet('ref="A1:D5"', 'ref="A1:XFD1048576"'),
    changed_sheet('r="5"', 'r="1000000000"'),
    changed_sheet('r="C5"', 'r="XFD5"'),
    changed_sheet("<sheetData>", "<sheetData>" + "<row/>" * 300_000),
    changed_sheet("<v>54</v>", "<v>1e999</v>"),
    changed_sheet("<v>54</v>", "<v>x</v>"),
    changed_sheet("<sheetData>", "<sheetData>" + "<row>" * 100_000),
)

CSV = b'\xef\xbb\xbfnsrrid, age ,sex\n1,54,M\n2,,F\n3,"1,5",M,extra\n'
PARTICIPANTS = b"participant_id\tage\tsex\tAHI (1/h)\nsub-01\t54\tF\t3,5\nsub-02\tn/a\tM\t\n"


def read_csv(folder: Path) -> None:
    rows = read_csv_rows(folder / "a.csv", ("nsrrid", "age"))
    assert all(isinstance(cell, str) for row in rows for cell in row.values())
    assert all({"nsrrid", "age"} <= set(row) for row in rows)


def read_participants(folder: Path) -> None:
    persons = read_persons(folder / "participants.tsv")
    for person in persons.rows:
        assert person.age_y is None or 0 <= person.age_y <= 120
        assert person.sex in (None, "male", "female")


LONG_CELLS = (b"nsrrid,age\n1," + b"x" * 200_000 + b"\n", b'nsrrid,age\n1,"' + b"x" * 200_000, b"\0" * 1000)

FORMATS = {
    "xls": Format(xls, "a.xls", read_book),
    "xlsx": Format(xlsx, "a.xlsx", read_book, BOOK_BOMBS),
    "CSV of persons": Format(lambda: {"a.csv": CSV}, "a.csv", read_csv, LONG_CELLS),
    "participants.tsv": Format(
        lambda: {"participants.tsv": PARTICIPANTS}, "participants.tsv", read_participants, LONG_CELLS
    ),
}

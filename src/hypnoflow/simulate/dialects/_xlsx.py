"""Write an Excel workbook whose bytes depend on its cells alone."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path

from openpyxl import Workbook
from openpyxl.xml.functions import tostring

SAVED = dt.datetime(2015, 1, 1)


def save(book: Workbook, path: Path) -> None:
    """Write `book` to `path` with fixed dates in its properties and in its archive."""
    book.properties.created = SAVED
    stream = io.BytesIO()
    book.save(stream)  # sets the date of change to now, and that of each member too
    book.properties.modified = SAVED
    with zipfile.ZipFile(stream) as found, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as fixed:
        for name in found.namelist():
            core = name == "docProps/core.xml"
            data = tostring(book.properties.to_tree()) if core else found.read(name)
            fixed.writestr(zipfile.ZipInfo(name, SAVED.timetuple()[:6]), data, zipfile.ZIP_DEFLATED)

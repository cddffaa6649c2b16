"""Every format that is read: its valid files as bytes, and what a read of them must give."""

from tests.formats import annotations, signals, tables

FORMATS = {**signals.FORMATS, **annotations.FORMATS, **tables.FORMATS}

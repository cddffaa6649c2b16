"""ISRUC-Sleep: a text file of one code per epoch, and a worksheet of events per epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations.per_epoch import epoch_runs
from hypnoflow.native.source import reading
from hypnoflow.types import EPOCH_S, Event, StageRun

KINDS = {
    "AR": "arousal", "OH": "hypopnea", "CH": "hypopnea", "MH": "hypopnea", "H": "hypopnea",
    "OA": "apnea_obstructive", "CA": "apnea_central", "MA": "apnea_mixed",
    "LM": "limb_movement", "PLM": "limb_movement",
}  # fmt: skip


BLANK = " \t\r\n\x1a"  # the last is the end-of-file mark of DOS


def read_epochs(path: Path) -> list[StageRun]:
    """Read one code per line; blank lines at the end do not count, one between two codes is an error."""
    try:
        with reading(path):
            lines = path.read_text(encoding="utf-8-sig").rstrip(BLANK).splitlines()
    except UnicodeDecodeError as error:
        raise RecordingError(f"not readable as text ({error})", path=path) from error
    blank = next((i for i, line in enumerate(lines, 1) if not line.strip()), None)
    if blank is not None:
        raise RecordingError(f"line {blank} is blank: later epochs would lie too early", path=path)
    return epoch_runs([line.strip() for line in lines])


def events_of_rows(cells: Sequence[Sequence[object]]) -> tuple[Event, ...]:
    """Return the events of a worksheet; each takes the whole of its epoch, the only time that is given.

    The line of column names is the first that holds "Events"; epochs count from there, whatever stands in the first
    column, whose name is missing in some files.
    """
    for i, line in enumerate(cells):
        names = [str(cell).strip().lower() for cell in line]
        if "events" in names:
            column = names.index("events")
            return tuple(
                Event(epoch * EPOCH_S, EPOCH_S, KINDS.get(word, "other"), "", word)
                for epoch, row in enumerate(cells[i + 1 :])
                for word in _words(row[column] if column < len(row) else None)
            )
    return ()


def _words(cell: object) -> list[str]:
    return [word.strip() for word in str(cell).split(",") if word.strip()] if cell is not None else []

"""``.ids`` hypnograms: lines of onset_s,duration_s,stage without a header, one per stretch of a stage."""

from __future__ import annotations

from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.damaged import seconds
from hypnoflow.native.source import reading
from hypnoflow.types import StageRun


def read_ids(path: Path) -> list[StageRun]:
    """Read an ``.ids`` file.

    Raises
    ------
    RecordingError
        If a line is not two non-negative numbers and a word, with its number and text.
    """
    try:
        with reading(path):
            lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RecordingError(f"not readable as text ({error})", path=path) from error
    return [_run(line, i, path) for i, line in enumerate(lines, 1) if line.strip()]


def _run(line: str, i: int, path: Path) -> StageRun:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 3 or not (seconds(cells[0]) >= 0 and seconds(cells[1]) >= 0 and cells[2]):
        raise RecordingError(f"line {i}: expected onset,duration,stage in seconds, found {line[:60]!r}", path=path)
    return StageRun(seconds(cells[0]), seconds(cells[1]), cells[2])

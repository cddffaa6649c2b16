"""``.ids`` hypnograms: lines of onset_s,duration_s,stage without a header, one per stretch of a stage."""

from __future__ import annotations

import math
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.types import StageRun


def read_ids(path: Path) -> list[StageRun]:
    """Read an ``.ids`` file.

    Raises
    ------
    RecordingError
        If a line is not two non-negative numbers and a word, with its number and text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"not readable as text ({error})", path=path) from error
    return [_run(line, i, path) for i, line in enumerate(lines, 1) if line.strip()]


def _run(line: str, i: int, path: Path) -> StageRun:
    try:
        onset, duration, label = line.split(",")
        onset_s, duration_s = float(onset), float(duration)
    except ValueError:
        onset_s = duration_s = math.nan
        label = ""
    if not (math.isfinite(onset_s) and math.isfinite(duration_s) and min(onset_s, duration_s) >= 0):
        raise RecordingError(f"line {i}: expected onset,duration,stage in seconds, found {line[:60]!r}", path=path)
    return StageRun(onset_s, duration_s, label.strip())

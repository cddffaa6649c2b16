"""Luna's ``.annot``: one annotation per line, tab separated, in six columns or one of the older shorter forms.

Format: https://zzz.bwh.harvard.edu/luna/ref/annotations/ (class, instance, channel, start, stop, meta).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations._events import kind_of
from hypnoflow.native.annotations._labels import is_stage
from hypnoflow.native.annotations._text import hold_to_next, length_s, read_lines, time_s
from hypnoflow.types import EPOCH_S, Annotations, Event, StageRun

STAGE_CLASSES = ("sleep_stage", "sleepstage", "stage", "stages")  # the stage then is the instance
# Where class, instance, channel, start and stop stand, by the number of columns.
PLACES: dict[int, tuple[int | None, ...]] = {
    6: (0, 1, 2, 3, 4),
    5: (0, 1, 2, 3, 4),
    4: (0, 1, None, 2, 3),
    3: (0, None, None, 1, 2),
}


def is_luna_annot(lines: Sequence[str]) -> bool:
    """Return whether lines are a Luna annotation file: its header, or rows with times where Luna has them."""
    rows = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    if not rows:
        return False
    if rows[0][0].lower() == "class" and len(rows[0]) in PLACES:
        return True
    return all(len(row) in PLACES and not _is_time(row[0]) and _is_time(_fields(row)[3]) for row in rows)


def read_luna_annot(path: Path, own: Collection[str], start: datetime | None) -> Annotations:
    """Read a ``.annot`` file.

    Parameters
    ----------
    path : Path
        The file.
    own : collection of str
        Stage labels that the config maps.
    start : datetime or None
        Start of the recording, for clock times.

    Raises
    ------
    RecordingError
        If a line has another number of columns or an unreadable time.
    """
    lines = (line for line in read_lines(path) if line.strip() and not line.startswith("#"))
    rows = [line.split("\t") for line in lines]
    if rows and rows[0][0].lower() == "class":
        rows = rows[1:]
    odd = next((row for row in rows if len(row) not in PLACES), None)
    if odd is not None:
        raise RecordingError(f"the line {odd!r} has {len(odd)} columns; Luna writes 3, 4 or 6", path=path)
    runs: list[StageRun] = []
    events: list[Event] = []
    fields = [_fields(row) for row in rows]
    for i, (name, instance, channel, begin, end) in enumerate(fields):
        onset_s = _onset_s(begin, start, path)
        following = fields[i + 1][3] if i + 1 < len(fields) else None
        duration_s = _duration_s(begin, end, onset_s, following, start, path)
        label = instance if name.lower() in STAGE_CLASSES else name
        if name.lower() in STAGE_CLASSES or is_stage(label, own):
            runs.append(StageRun(onset_s, duration_s, label))
        else:
            events.append(Event(onset_s, duration_s, kind_of(name), "" if channel == "." else channel, name))
    return Annotations({"expert": hold_to_next(runs)} if runs else {}, tuple(events))


def _fields(row: Sequence[str]) -> tuple[str, ...]:
    return tuple("." if at is None else row[at].strip() for at in PLACES[len(row)])


def _is_time(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?|(0\+)?\d{1,2}[:.]\d\d[:.]\d\d(\.\d+)?\s*([ap]m)?|e:\d+", text, re.I) is not None


def _onset_s(text: str, start: datetime | None, path: Path) -> float:
    """Return a start: seconds, a clock time, ``0+hh:mm:ss`` after the start, or ``e:N`` for the N-th epoch."""
    if re.fullmatch(r"e:\d{1,7}", text):
        return (int(text[2:]) - 1) * float(EPOCH_S)
    if text.startswith("0+"):
        return time_s(text[2:], datetime(2000, 1, 1), path)
    return time_s(text, start, path)


def _duration_s(
    begin: str, end: str, onset_s: float, following: str | None, start: datetime | None, path: Path
) -> float:
    """Return a duration from a stop: a time, ``+seconds``, ``...`` for "until the next line", or none."""
    if end == "...":
        return length_s(onset_s, _onset_s(following, start, path), path) if following is not None else 0.0
    if end in (".", ""):
        return float(EPOCH_S) if begin.startswith("e:") else 0.0
    if end.startswith("+"):
        return length_s(0.0, time_s(end[1:], None, path), path)
    stop_s = _onset_s(end, start, path) + (EPOCH_S if end.startswith("e:") else 0)
    return length_s(onset_s, stop_s, path)

"""Respiratory events of the UCD Sleep Apnea Database: lines of fixed columns under clock times."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.damaged import seconds
from hypnoflow.native.source import reading
from hypnoflow.types import Event

KINDS = {
    "HYP-O": "hypopnea",
    "HYP-C": "hypopnea",
    "HYP-M": "hypopnea",
    "APNEA-O": "apnea_obstructive",
    "APNEA-C": "apnea_central",
    "APNEA-M": "apnea_mixed",
    "PB": "other",
    "POSSIBLE": "other",
}
LINE = re.compile(r"\s*(\d{1,2}):(\d{2}):(\d{2})\s+(\S+)")
DURATION = slice(26, 32)
END_OF_FILE = "\x1a"
DAY_S = 86_400


def read_respiratory(path: Path, start: datetime | None) -> tuple[Event, ...]:
    """Read a ``_respevt.txt`` file; times are taken from the recording's start, across midnight.

    Raises
    ------
    RecordingError
        If the recording's start is unknown, or a line's event or duration is.
    """
    if start is None:
        raise RecordingError("events are given by clock time, and the recording's start is unknown", path=path)
    with reading(path):
        text = path.read_text(encoding="latin-1")
    lines = text.partition(END_OF_FILE)[0].splitlines()
    return tuple(_event(line, match, i, path, start) for i, line in enumerate(lines, 1) if (match := LINE.match(line)))


def _event(line: str, match: re.Match[str], i: int, path: Path, start: datetime) -> Event:
    hour, minute, second = (int(part) for part in match.groups()[:3])
    kind = KINDS.get(match[4].upper())
    if kind is None:
        raise RecordingError(f"line {i}: unknown event {match[4]!r}; known: {', '.join(KINDS)}", path=path)
    text = line[DURATION].strip()
    duration_s = seconds(text or "0")
    if not duration_s >= 0:
        raise RecordingError(f"line {i}: duration {text!r} is not a number of seconds", path=path)
    if hour > 23 or minute > 59 or second > 59:
        raise RecordingError(f"line {i}: {match[0].split()[0]!r} is no time of the clock", path=path)
    clock = timedelta(hours=hour, minutes=minute, seconds=second)
    since = timedelta(hours=start.hour, minutes=start.minute, seconds=start.second, microseconds=start.microsecond)
    return Event((clock - since).total_seconds() % DAY_S, duration_s, kind, "", match[4])

"""What the text dialects share: decoding, clock times, and stages that hold until the next one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.damaged import seconds
from hypnoflow.native.source import reading
from hypnoflow.types import EPOCH_S, StageRun

CLOCK = re.compile(r"(\d{1,2})[:.](\d\d)[:.](\d\d(?:\.\d+)?)\s*([ap]m)?$", re.IGNORECASE)
DAY_S = 24 * 3600


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file from the first to the last that is not blank, whatever its encoding.

    Raises
    ------
    RecordingError
        If the file cannot be opened or is no text.
    """
    with reading(path):
        raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = raw.decode("utf-16", "replace")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    text = text.replace("\x1a", "")  # the end-of-file mark of DOS
    if "\x00" in text:
        raise RecordingError("not a text file: it holds zero bytes", path=path)
    return text.rstrip().lstrip("\r\n").splitlines()


def time_s(text: str, start: datetime | None, path: Path) -> float:
    """Return a time in seconds from the recording's start.

    Parameters
    ----------
    text : str
        Seconds, or a clock time hh:mm:ss, which is taken to lie within 24 h after the start.
    start : datetime or None
        Start of the recording; needed for clock times only.

    Raises
    ------
    RecordingError
        If `text` is neither, or a clock time where the recording knows no start.
    """
    value_s = seconds(text)
    if not math.isnan(value_s):
        return value_s
    clock = CLOCK.match(text.strip())
    if clock is None or int(clock[1]) > 24 or int(clock[2]) > 59 or float(clock[3]) >= 60:
        raise RecordingError(f"{text!r} is no time; known: seconds, and hh:mm:ss of the clock", path=path)
    if start is None:
        raise RecordingError(f"clock time {text!r}, but the recording does not know when it starts", path=path)
    hour, minute, second = int(clock[1]), int(clock[2]), float(clock[3])
    if clock[4]:
        hour = hour % 12 + (12 if clock[4].lower() == "pm" else 0)
    began_s = start.hour * 3600 + start.minute * 60 + start.second + start.microsecond * 1e-6
    return (hour * 3600 + minute * 60 + second - began_s) % DAY_S


def length_s(onset_s: float, stop_s: float, path: Path) -> float:
    """Return the time between the two; RecordingError if it ends before it begins."""
    if stop_s < onset_s:
        raise RecordingError(f"something begins at {onset_s:g} s and ends before that, at {stop_s:g} s", path=path)
    return stop_s - onset_s


def hold_to_next(runs: Sequence[StageRun], last_s: float = EPOCH_S) -> list[StageRun]:
    """Let stages without a duration last until the next stage begins, and the very last for `last_s`."""
    runs = sorted(runs, key=lambda run: run.onset_s)
    ends = [run.onset_s for run in runs[1:]] + [runs[-1].onset_s + last_s] if runs else []
    return [
        run if run.duration_s > 0 else replace(run, duration_s=end - run.onset_s)
        for run, end in zip(runs, ends, strict=True)
    ]

"""Hypnograms in plain tables: one stage per line, onset-duration-stage with a header, or ``.ids`` without one."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations._events import kind_of
from hypnoflow.native.annotations._labels import is_stage
from hypnoflow.native.annotations._text import hold_to_next, length_s, read_lines, time_s
from hypnoflow.native.annotations.per_epoch import epoch_runs
from hypnoflow.native.damaged import PARSER_ERRORS, cause
from hypnoflow.types import EPOCH_S, Annotations, Event, StageRun

COLUMNS = {  # what a column may be called, in small letters and without its unit; the first that is there is taken
    "stage": ("stage", "sleep_stage", "sleepstage", "stages", "sleep_stages", "hypnogram", "staging", "stage_original"),
    "mixed": ("trial_type", "description", "annotation", "event", "label"),  # stages among other things
    "onset": ("onset", "start", "start_time", "begin", "time"),
    "duration": ("duration", "length", "dur"),
    "stop": ("stop", "end", "end_time", "offset"),
    "epoch": ("epoch", "epoch_number", "epoch_no", "nr"),
    "scorer": ("scorer", "rater", "annotator"),
}
PER_LINE = "one stage per line"
MISSING = ("", "n/a", "nan", "na")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table with times."""

    scorer: str
    onset_s: float
    duration_s: float
    stage: str
    event: str


def read_table(path: Path, own: Collection[str], start: datetime | None) -> tuple[str, Annotations]:
    """Read a table of stages, and say which kind of table it is.

    Parameters
    ----------
    path : Path
        Text, separated by tabs, semicolons or commas; lines that begin with # do not count.
    own : collection of str
        Stage labels that the config maps.
    start : datetime or None
        Start of the recording, for clock times.

    Returns
    -------
    dialect : str
        "one stage per line", "ids" or "table of stages".
    annotations : Annotations
        Several scorers where a column tells them apart.

    Raises
    ------
    RecordingError
        If the table is none of these kinds, or a time cannot be read.
    """
    lines = [line for line in read_lines(path) if not line.startswith("#")]
    cells = _cells([line for line in lines if line.strip()], path)
    if not cells:
        raise RecordingError("the hypnogram is empty", path=path)
    columns = _columns(cells[0])
    if "onset" in columns and ("stage" in columns or "mixed" in columns):
        return "table of stages", _with_onsets(cells[1:], columns, path, own, start)
    if "stage" in columns or "mixed" in columns:
        _refuse_blank(lines, path)
        return PER_LINE, Annotations({"expert": _numbered(cells[1:], columns, path)})
    width = {len(row) for row in cells}
    if width == {1} or (width == {2} and _consecutive([row[0] for row in cells])):
        labels = [row[-1] for row in cells]
        if any(is_stage(label, own) or _is_number(label) for label in labels):
            _refuse_blank(lines, path)
            return PER_LINE, Annotations({"expert": epoch_runs(labels)})
    if width == {3} and all(_is_number(cell) for row in cells for cell in row[:2]):
        times = [(time_s(a, None, path), length_s(0.0, time_s(b, None, path), path)) for a, b, _ in cells]
        return "ids", Annotations({"expert": [StageRun(*t, row[2]) for t, row in zip(times, cells, strict=True)]})
    raise RecordingError(
        f"not a known table of stages; its first line is {cells[0]!r}",
        path=path,
        hint="write one stage per line, or a header line with the columns onset, duration (both s) and stage",
    )


def _cells(lines: Sequence[str], path: Path) -> list[list[str]]:
    mark = next((mark for mark in "\t;," if lines and mark in lines[0]), ",")
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark, strict=True)]
    except PARSER_ERRORS as error:
        raise RecordingError(f"not readable as a table ({cause(error)})", path=path) from error


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return where each meaning stands in a header; units in brackets or after an underscore do not count."""
    names = [re.sub(r"[\s_]*(\(.*\)|\[.*\]|_s|_sec|_seconds)$", "", cell.strip().lower()) for cell in header]
    names = [re.sub(r"[\s-]+", "_", name) for name in names]
    found = {}
    for meaning, accepted in COLUMNS.items():
        place = next((names.index(name) for name in accepted if name in names), None)
        if place is not None:
            found[meaning] = place
    return found


def _refuse_blank(lines: Sequence[str], path: Path) -> None:
    """Raise RecordingError for a blank line, which would move all later stages by an epoch, or be one of them."""
    blank = next((i for i, line in enumerate(lines, 1) if not line.strip()), None)
    if blank is not None:
        raise RecordingError(
            f"line {blank} is blank, between stages that stand one to a line",
            path=path,
            hint="write ? for an epoch without a stage, and no other blank lines",
        )


def _with_onsets(
    cells: Sequence[Sequence[str]], columns: dict[str, int], path: Path, own: Collection[str], start: datetime | None
) -> Annotations:
    rows = [_row(row, columns, path, start) for row in cells]
    scorers: dict[str, list[StageRun]] = {}
    events: list[Event] = []
    for row in rows:
        if row.stage not in MISSING:
            scorers.setdefault(row.scorer, []).append(StageRun(row.onset_s, row.duration_s, row.stage))
        elif row.event not in MISSING and is_stage(row.event, own):
            scorers.setdefault(row.scorer, []).append(StageRun(row.onset_s, row.duration_s, row.event))
        elif row.event not in MISSING:
            events.append(Event(row.onset_s, row.duration_s, kind_of(row.event), "", row.event))
    return Annotations({name: hold_to_next(runs) for name, runs in scorers.items()}, tuple(events))


def _row(cells: Sequence[str], columns: dict[str, int], path: Path, start: datetime | None) -> Row:
    def cell(meaning: str) -> str:
        at = columns.get(meaning, len(cells))
        return cells[at] if at < len(cells) else ""

    if len(cells) <= max(columns[name] for name in ("stage", "mixed") if name in columns):
        raise RecordingError(f"the line {list(cells)!r} has no stage", path=path)
    onset_s = time_s(cell("onset"), start, path)
    duration_s = 0.0
    if cell("duration").lower() not in MISSING:
        duration_s = length_s(0.0, time_s(cell("duration"), None, path), path)
    elif cell("stop").lower() not in MISSING:
        duration_s = length_s(onset_s, time_s(cell("stop"), start, path), path)
    scorer = cell("scorer") if cell("scorer").lower() not in MISSING else "expert"
    stage = cell("stage") if cell("stage").lower() not in MISSING else ""
    return Row(scorer, onset_s, duration_s, stage, cell("mixed"))


def _numbered(cells: Sequence[Sequence[str]], columns: dict[str, int], path: Path) -> list[StageRun]:
    """Return one run per epoch, by the epochs' numbers where there are any (from 0 or from 1)."""
    at = columns.get("stage", columns.get("mixed", 0))
    short = [row for row in cells if len(row) <= at]
    if short:
        raise RecordingError(f"the line {short[0]!r} has no stage", path=path)
    labels = [row[at] or "unscored" for row in cells]
    if "epoch" not in columns:
        return epoch_runs(labels)
    texts = [row[columns["epoch"]] for row in cells]
    if not all(_is_whole(text) for text in texts):
        raise RecordingError("the epochs' numbers are not whole numbers", path=path)
    first = 0 if "0" in texts else 1
    return [StageRun((int(text) - first) * EPOCH_S, EPOCH_S, label) for text, label in zip(texts, labels, strict=True)]


def _consecutive(texts: Sequence[str]) -> bool:
    if not all(_is_whole(text) for text in texts):
        return False
    numbers = [int(text) for text in texts]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] in (0, 1)


def _is_whole(text: str) -> bool:
    return re.fullmatch(r"\d{1,7}", text) is not None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None

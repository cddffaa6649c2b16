"""Any hypnogram file → annotations: the dialect is recognised by what the file holds, not by its name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from defusedxml.ElementTree import iterparse

from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations._events import kind_of
from hypnoflow.native.annotations._labels import COMMON, check_numbers, common_label, is_stage
from hypnoflow.native.annotations._text import hold_to_next, read_lines
from hypnoflow.native.annotations.luna_annot import is_luna_annot, read_luna_annot
from hypnoflow.native.annotations.nsrr_xml import read_nsrr_xml
from hypnoflow.native.annotations.per_epoch import read_json_epochs
from hypnoflow.native.annotations.profusion import read_profusion
from hypnoflow.native.annotations.table import PER_LINE, read_table
from hypnoflow.native.damaged import PARSER_ERRORS, cause
from hypnoflow.native.edf import EdfFile
from hypnoflow.native.source import reading
from hypnoflow.types import Annotations, Event, StageRun

__all__ = ["COMMON", "UNTIMED", "Hypnogram", "from_marks", "read_hypnogram"]

JSON_LIST = "JSON list"
UNTIMED = (PER_LINE, JSON_LIST)  # dialects that do not say when they begin

XML = {"PSGAnnotation": ("NSRR XML", read_nsrr_xml), "CMPStudyConfig": ("Profusion XML", read_profusion)}


@dataclass(frozen=True, slots=True)
class Hypnogram:
    """What a file holds; stage labels are keys of `COMMON`, or the config's own, or unknown to both."""

    dialect: str
    annotations: Annotations


def read_hypnogram(path: Path, own: Collection[str] = (), start: datetime | None = None) -> Hypnogram:
    """Read a hypnogram in any known dialect.

    Known are EDF+ annotations, NSRR and Profusion XML, Luna's .annot, tables of stages (onset, duration, stage),
    .ids, one stage per line, and a JSON list of stages.

    Parameters
    ----------
    path : Path
        The file.
    own : collection of str
        Stage labels that the config maps itself; they stay as they are, numbers included.
    start : datetime or None
        Start of the signals, for dialects with clock times.

    Raises
    ------
    RecordingError
        If the file cannot be read, if its dialect is not known, or if its stages are bare numbers that the config
        does not map.
    """
    dialect, annotations = _read(path, own, start)
    scorers = {
        name: [replace(run, label=common_label(run.label, own)) for run in runs]
        for name, runs in annotations.scorers.items()
    }
    check_numbers((run.label for runs in scorers.values() for run in runs), own, path)
    return Hypnogram(dialect, replace(annotations, scorers=scorers))


def from_marks(marks: Sequence[StageRun], own: Collection[str]) -> Annotations:
    """Sort marks of all kinds, as an EDF+ file holds them, into stages and events; without stages no scorer."""
    runs = [replace(m, label=common_label(m.label, own)) for m in marks if is_stage(m.label, own)]
    events = [
        Event(m.onset_s, m.duration_s, kind_of(m.label), "", m.label) for m in marks if not is_stage(m.label, own)
    ]
    return Annotations({"expert": hold_to_next(runs)} if runs else {}, tuple(events))


def _read(path: Path, own: Collection[str], start: datetime | None) -> tuple[str, Annotations]:
    with reading(path), path.open("rb") as file:
        head = file.read(4096)
    text = head.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    if head.startswith((b"0       ", b"\xffBIOSEMI")):
        return "EDF+", _edf_plus(path, own, start)
    if text.startswith("<"):
        return _xml(path)
    if text.startswith("["):
        return JSON_LIST, Annotations({"expert": read_json_epochs(path)})
    if is_luna_annot(read_lines(path)):
        return "Luna .annot", read_luna_annot(path, own, start)
    return read_table(path, own, start)


def _edf_plus(path: Path, own: Collection[str], start: datetime | None) -> Annotations:
    file = EdfFile(path)
    annotations = from_marks(file.annotations(), own)
    if start is not None and file.start is not None and file.start != start:
        said = (
            f"{path.name} says that it starts at {file.start}, the signals at {start}; its times were counted from "
            "the start of the signals"
        )
        return replace(annotations, warnings=(said,))
    return annotations


def _xml(path: Path) -> tuple[str, Annotations]:
    try:
        with path.open("rb") as file:
            _, root = next(iter(iterparse(file, events=("start",))))
    except (*PARSER_ERRORS, StopIteration) as error:
        raise RecordingError(f"not readable as XML ({cause(error)})", path=path) from error
    if root.tag not in XML:
        known = ", ".join(f"<{tag}> ({name})" for tag, (name, _) in XML.items())
        raise RecordingError(f"an XML file with the root element <{root.tag}>; known: {known}", path=path)
    name, read = XML[root.tag]
    return name, read(path)

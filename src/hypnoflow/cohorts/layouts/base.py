"""What a cohort's file declares."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from hypnoflow.channels.derive import ChannelRule, Pick, pick_by_rules
from hypnoflow.types import Annotations, SignalFile


@dataclass(frozen=True, slots=True)
class Alignment:
    """How far a hypnogram may differ from the signals.

    overrun_s : float
        A hypnogram may end this much after the signals; the excess is cut.
    short_s : float
        It may end this much before them; the rest is unscored.
    ignored : tuple of str
        Labels whose overrun does not count.
    starts : {"signals", "first mark"}
        Where the grid of epochs begins: with the signals, or at the whole second of the first mark, in which case
        what lies before is cut from signals and events alike.
    """

    overrun_s: float = 30.0
    short_s: float = 30.0
    ignored: tuple[str, ...] = ()
    starts: Literal["signals", "first mark"] = "signals"


@dataclass(frozen=True, slots=True)
class Found:
    """One recording as `Cohort.discover` finds it; paths are relative to the cohort's root.

    group : str
        Persons that must not meet across splits, a family say; empty where the person stands alone.
    staged : bool
        False where the file's stages are no truth (a study scored sleep/wake only): they and the arousals are
        left out, all else is kept.
    """

    recording: str
    person: str
    signal_path: str
    annotation_paths: tuple[str, ...]
    visit: str = "1"
    group: str = ""
    staged: bool = True
    age_y: float | None = None
    sex: str | None = None
    ahi_per_h: float | None = None
    bmi: float | None = None
    source_columns: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cohort:
    """A cohort: declarations, and the three functions that read it.

    discover : callable
        Root folder → its recordings, in any order. Demographics that are missing stay None and are said in
        `Found.problems`.
    open_signals : callable
        Signal path → open file.
    read_annotations : callable
        Annotation paths, open signals → annotations.
    stages : mapping
        The file's stage label → stage code; any other label is an error.
    consensus : {"vote", "first"}
        What becomes the hypnogram where there are several scorers: the vote of the four that agree most, or the
        first scorer's.
    pick : callable, optional
        Open file → its channels, where `channels` does not say it.
    """

    name: str
    channels: Sequence[ChannelRule]
    stages: Mapping[str, int]
    discover: Callable[[Path], list[Found]]
    open_signals: Callable[[Path], SignalFile]
    read_annotations: Callable[[Sequence[Path], SignalFile], Annotations]
    alignment: Alignment = Alignment()
    consensus: Literal["vote", "first"] = "vote"
    pick: Callable[[SignalFile], list[Pick]] | None = None

    def picks(self, file: SignalFile) -> list[Pick]:
        """Return which signals of a file make which channels."""
        return self.pick(file) if self.pick is not None else pick_by_rules(self.channels, file.labels)


def facts(name: str) -> dict[str, str]:
    """Return the row of ``cohorts.csv`` for a cohort: title, version, licence, access, citation, …

    A cohort that only a config names has no row: its licence is not stated, and every other fact is empty.
    """
    text = files("hypnoflow.cohorts").joinpath("cohorts.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    unknown = dict.fromkeys(rows.fieldnames or (), "") | {"cohort": name, "title": name, "licence": "not stated"}
    return next((row for row in rows if row["cohort"] == name), unknown)

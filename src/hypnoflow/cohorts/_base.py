"""What a cohort's file declares."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from hypnoflow.channels.derive import ChannelRule, Pick, pick_by_rules
from hypnoflow.types import Annotations, SignalFile


@dataclass(frozen=True, slots=True)
class Alignment:
    """How far a hypnogram may differ from the signals, which both start at 0 s.

    overrun_s : float
        A hypnogram may end this much after the signals; the excess is cut.
    short_s : float
        It may end this much before them; the rest is unscored.
    ignored : tuple of str
        Labels whose overrun does not count.
    """

    overrun_s: float = 30.0
    short_s: float = 30.0
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One recording as `Cohort.discover` finds it; paths are relative to the cohort's root."""

    recording: str
    person: str
    signal_path: str
    annotation_paths: tuple[str, ...]
    visit: str = "1"
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
    epoch_s : float
        Length of the cohort's scoring epochs.
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
    epoch_s: float = 30.0
    pick: Callable[[SignalFile], list[Pick]] | None = None

    def picks(self, file: SignalFile) -> list[Pick]:
        """Return which signals of a file make which channels."""
        return self.pick(file) if self.pick is not None else pick_by_rules(self.channels, file.labels)


def facts(name: str) -> dict[str, str]:
    """Return the row of ``cohorts.csv`` for a cohort: title, version, licence, access, citation, …

    A cohort that only a config names has no row: its licence is not stated, and every other fact is empty.
    """
    text = files("hypnoflow.cohorts").joinpath("cohorts.csv").read_text()
    rows = csv.DictReader(text.splitlines())
    unknown = dict.fromkeys(rows.fieldnames or (), "") | {"cohort": name, "title": name, "licence": "not stated"}
    return next((row for row in rows if row["cohort"] == name), unknown)

"""What can be learnt of a night: one registered function per task, from a harmonized recording to its labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hypnoflow.errors import RecordingError
from hypnoflow.night.gaps import in_gaps
from hypnoflow.registry import Functions
from hypnoflow.types import EPOCH_S, STAGES, UNSCORED, StageArray

LEAST_EVENT_S = 10.0  # from which on an event marks an epoch, however it lies (AASM: an apnea lasts 10 s)


@dataclass(frozen=True, slots=True)
class Labelling:
    """How a night is cut into labels.

    label_s : float
        Length of a label, s.
    min_overlap_s : float
        How much of an epoch an event covers that marks it.
    """

    label_s: float = EPOCH_S
    min_overlap_s: float = 10.0


Labels = Callable[[Path, str, Labelling], StageArray]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to learn.

    Attributes
    ----------
    name : str
    classes : tuple of str
        In the order of the logits; their positions are the labels.
    labels : callable
        Store, recording and how is learnt → labels of ``label_s`` seconds, shape (label,), uint8; `UNSCORED` where
        nobody knows.
    """

    name: str
    classes: tuple[str, ...]
    labels: Labels


tasks: Functions[Task] = Functions("task")


def task(name: str, classes: tuple[str, ...]) -> Callable[[Labels], Labels]:
    """Return a decorator that registers a function as a task."""

    def add(labels: Labels) -> Labels:
        tasks.register(name)(Task(name, classes, labels))
        return labels

    return add


def task_of(name: str | None) -> Task:
    """Return a task by its name; for None what a pre-training has: no classes, and no label but where was recorded."""
    return tasks.get(name) if name is not None else Task("", (), recorded)


@task("stage", STAGES)
def stage(store: Path, recording: str, how: Labelling) -> StageArray:
    """Return the sleep stages, as experts scored them."""
    from hypnoflow.store.store import read_fine_stage, read_stage  # names of tasks are checked without reading

    if how.label_s == EPOCH_S:
        return read_stage(store, recording)
    return read_fine_stage(store, recording, how.label_s)


@task("apnea", ("none", "apnea"))
def apnea(store: Path, recording: str, how: Labelling) -> StageArray:
    """Return which epochs hold an apnea, obstructive, central, mixed or not said which."""
    return of_events(store, recording, how, "apnea")


@task("hypopnea", ("none", "hypopnea"))
def hypopnea(store: Path, recording: str, how: Labelling) -> StageArray:
    """Return which epochs hold a hypopnea."""
    return of_events(store, recording, how, "hypopnea")


def recorded(store: Path, recording: str, how: Labelling) -> StageArray:
    """Return 0 for every epoch in which something was recorded: what a pre-training draws its windows from."""
    attributes, n_epochs = _read(store, recording)
    return np.where(in_gaps(attributes.get("gaps_s", []), n_epochs), np.uint8(UNSCORED), np.uint8(0))


def of_events(store: Path, recording: str, how: Labelling, kind: str) -> StageArray:
    """Return 1 for epochs with an event whose kind begins with `kind`, 0 for others, shape (epoch,).

    An epoch has an event if one covers at least ``how.min_overlap_s`` of it; an event of 10 s and more marks the
    epoch, too, that it covers most of, the first of several. Of a recording without a single respiratory event nobody
    knows whether any were scored: it is unscored, as are gaps.

    Raises
    ------
    RecordingError
        If labels shorter than 30 s are asked for.
    """
    if how.label_s != EPOCH_S:
        raise RecordingError(f"the task {kind} has labels of 30 s, not of {how.label_s:g} s: set train.label_s to 30")
    attributes, n_epochs = _read(store, recording)
    events, labels = attributes.get("events", {}), np.zeros(n_epochs, np.uint8)
    rows = list(zip(events.get("kind", []), events.get("onset_s", []), events.get("duration_s", []), strict=True))
    if not any(str(name).startswith(("apnea", "hypopnea", "rera")) for name, _, _ in rows):
        return np.full_like(labels, UNSCORED)
    edges_s = np.arange(len(labels) + 1) * float(EPOCH_S)
    for name, onset_s, duration_s in rows:
        if str(name).startswith(kind):
            end_s = onset_s + duration_s
            covered_s = np.clip(np.minimum(end_s, edges_s[1:]) - np.maximum(onset_s, edges_s[:-1]), 0, None)
            labels[covered_s >= how.min_overlap_s] = 1
            if duration_s >= LEAST_EVENT_S and covered_s.size and covered_s.max() > 0:
                labels[covered_s.argmax()] = 1
    labels[in_gaps(attributes.get("gaps_s", []), len(labels))] = UNSCORED
    return labels


def _read(store: Path, recording: str) -> tuple[dict[str, Any], int]:
    """Return the attributes of a recording and its number of epochs."""
    from hypnoflow.store.store import read_stage
    from hypnoflow.store.store_files import zarr_attrs

    return zarr_attrs(store / recording), len(read_stage(store, recording))

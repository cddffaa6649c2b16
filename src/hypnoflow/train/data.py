"""What is trained and validated on, and a fingerprint by which the same data are known again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from hypnoflow.config.train import Train
from hypnoflow.data.recordings import StoredRecording, open_stored
from hypnoflow.data.sampler import WindowSampler, is_usable
from hypnoflow.data.tasks import Labelling, task_of
from hypnoflow.errors import CohortError, ConfigError
from hypnoflow.models import models
from hypnoflow.models.contract import Input
from hypnoflow.split.left_out import of_fold
from hypnoflow.split.seen import COLUMNS as PERSONS
from hypnoflow.split.seen import persons_seen
from hypnoflow.split.usable import usable
from hypnoflow.store.store import preprocessing
from hypnoflow.store.store_files import zarr_attrs
from hypnoflow.train.entry import Entry
from hypnoflow.types import StageArray

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Recordings to learn from and to validate on, how they were harmonized, and whose they are (`persons_seen`)."""

    train: Sequence[StoredRecording]
    valid: Sequence[StoredRecording]
    preprocessing: dict[str, Any]
    persons: pd.DataFrame = field(default_factory=lambda: persons_seen(pd.DataFrame(columns=PERSONS)))

    def readable(self, wanted: Input) -> TrainingSet:
        """Return the recordings whose channels a network can read.

        Raises
        ------
        CohortError
            If none is left to train or to validate on: said before anything is trained.
        """
        kept: dict[str, Any] = {}
        for name, recordings in (("train", self.train), ("valid", self.valid)):
            kept[name] = [r for r in recordings if is_usable(r, wanted)]
            if not kept[name]:
                slots = " + ".join(slot.kind.upper() for slot in wanted.slots) or "/".join(wanted.wanted_kinds).upper()
                raise CohortError(f"none of {len(recordings)} recordings of the {name} split has the channels {slots}")
            if len(kept[name]) < len(recordings):
                lost = len(recordings) - len(kept[name])
                log.info("%s: %d recordings without the network's channels left out", name, lost)
        return replace(self, **kept)

    def fingerprint(self) -> str:
        """Return a hash over names, labels and metadata of all recordings; signals enter by their metadata."""
        digest = hashlib.sha256(repr(self.preprocessing).encode())
        for name, recordings in (("train", self.train), ("valid", self.valid)):
            for r in recordings:
                digest.update(f"{name}/{r.cohort}/{r.person}/{r.recording}".encode())
                digest.update(r.labels.tobytes())
                group = r.store / r.recording
                for metadata in (group, *(group / kind for kind in r.kinds)):
                    digest.update((metadata / "zarr.json").read_bytes())
        return digest.hexdigest()[:16]


def load_training_set(split: Path, harmonized: Path, entry: Entry, fold: int | None = None) -> TrainingSet:
    """Open the training and validation recordings of a split table, or of one of its folds, with what an entry learns.

    Raises
    ------
    ConfigError
        If the network takes windows of another length, or the table has other folds.
    CohortError
        If nothing is left to train or validate on, or recordings were harmonized in different ways.
    RecordingError
        If a store holds no such labels.
    """
    drawn = of_fold(pd.read_parquet(split), fold)
    table = usable(drawn, harmonized)
    opened: dict[str, list[StoredRecording]] = {"train": [], "valid": []}
    ways: list[dict[str, Any]] = []
    wanted, task = entry_input(entry), task_of(entry.task)
    if wanted.window_epochs not in (None, entry.train.window_epochs):
        raise ConfigError(
            f"{entry.network} takes windows of {wanted.window_epochs} epochs; science.train.window_epochs, or what the "
            f"entry {entry.name} says instead, is {entry.train.window_epochs}"
        )
    how = Labelling(entry.train.label_s, entry.train.min_overlap_s)

    def labels(store: Path, recording: str) -> StageArray:
        return task.labels(store, recording, how)

    for row in table[table["split"].isin(list(opened))].to_dict("records"):
        store = harmonized / row["cohort"] / f"{row['shard']}.zarr"
        opened[row["split"]].append(open_stored(store, row["cohort"], row["recording"], row["person"], wanted, labels))
        way = preprocessing(zarr_attrs(store / row["recording"]))
        ways += [] if way in ways else [way]
    for name, recordings in opened.items():
        if not recordings:
            raise CohortError(f"no harmonized recording in the {name} split")
    if len(ways) > 1:
        raise CohortError(f"recordings were harmonized in {len(ways)} different ways: {ways}")
    return TrainingSet(opened["train"], opened["valid"], ways[0], persons_seen(drawn, fold))


def entry_input(entry: Entry) -> Input:
    """Return what an entry's network reads."""
    return models.get(entry.network).reads(entry.options)


def window_sampler(data: TrainingSet, options: Train, wanted: Input) -> WindowSampler:
    """Return what draws the windows of a training."""
    return WindowSampler(data.train, options.window_epochs, options.dataset_mix, options.draw_by, wanted)

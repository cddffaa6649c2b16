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
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.errors import CohortError
from hypnoflow.models import models
from hypnoflow.split.seen import COLUMNS as PERSONS
from hypnoflow.split.seen import persons_seen
from hypnoflow.split.usable import usable
from hypnoflow.store.store import preprocessing
from hypnoflow.store.store_files import zarr_attrs
from hypnoflow.types import EPOCH_S

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Recordings to learn from and to validate on, how they were harmonized, and whose they are (`persons_seen`)."""

    train: Sequence[StoredRecording]
    valid: Sequence[StoredRecording]
    preprocessing: dict[str, Any]
    persons: pd.DataFrame = field(default_factory=lambda: persons_seen(pd.DataFrame(columns=PERSONS)))

    def with_pairs(self) -> TrainingSet:
        """Return the recordings that a network of pairs can learn from and be validated on, those with EEG and EOG.

        Raises
        ------
        CohortError
            If none is left to train or to validate on.
        """
        kept: dict[str, Any] = {}
        for name, recordings in (("train", self.train), ("valid", self.valid)):
            kept[name] = [r for r in recordings if r.has_pair]
            if not kept[name]:
                raise CohortError(f"no recording of the {name} split has both an EEG and an EOG channel")
            if len(kept[name]) < len(recordings):
                log.info("%s: %d recordings without EEG or EOG left out", name, len(recordings) - len(kept[name]))
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


def load_training_set(split: Path, harmonized: Path, label_s: float = EPOCH_S) -> TrainingSet:
    """Open the training and validation recordings of a split table.

    Raises
    ------
    CohortError
        If nothing is left to train or validate on, or recordings were harmonized in different ways.
    RecordingError
        If a store holds no labels of `label_s` seconds.
    """
    drawn = pd.read_parquet(split)
    table = usable(drawn, harmonized)
    opened: dict[str, list[StoredRecording]] = {"train": [], "valid": []}
    ways: list[dict[str, Any]] = []
    for row in table[table["split"].isin(list(opened))].to_dict("records"):
        store = harmonized / row["cohort"] / f"{row['shard']}.zarr"
        opened[row["split"]].append(open_stored(store, row["cohort"], row["recording"], row["person"], label_s))
        way = preprocessing(zarr_attrs(store / row["recording"]))
        ways += [] if way in ways else [way]
    for name, recordings in opened.items():
        if not recordings:
            raise CohortError(f"no harmonized recording in the {name} split")
    if len(ways) > 1:
        raise CohortError(f"recordings were harmonized in {len(ways)} different ways: {ways}")
    return TrainingSet(opened["train"], opened["valid"], ways[0], persons_seen(drawn))


def seen_by(model: str, data: TrainingSet) -> TrainingSet:
    """Return the recordings that a network can take: all, or those with a pair of an EEG and an EOG channel."""
    return data if models.get(model).channel_agnostic else data.with_pairs()


def window_sampler(data: TrainingSet, options: Train) -> WindowSampler:
    """Return what draws the windows of a training."""
    pairs = not models.get(options.model).channel_agnostic
    return WindowSampler(data.train, options.window_epochs, options.dataset_mix, options.draw_by, pairs=pairs)

"""A night as evaluation reads it: each of its arrays once, and only those that somebody asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.facts.files import records
from hypnoflow.store.scores import EpochProbability, StoredScores, read_epoch_probability, read_scores
from hypnoflow.store.store import read_scorers, read_stage
from hypnoflow.store.store_files import zarr_attrs
from hypnoflow.types import StageArray

Labels = Callable[[Path, str], StageArray]


class OpenNight:
    """One recording with its labels and scores.

    Parameters
    ----------
    record : dict
        Its row of the table of splits: cohort, shard, recording, person, group, split.
    harmonized, scores : Path
        The stores of its shard.
    labels : callable
        Store and recording → labels of 30 s; the experts' stages by default.
    """

    def __init__(self, record: dict[str, Any], harmonized: Path, scores: Path, labels: Labels = read_stage):
        self.record, self.name = record, str(record["recording"])
        self._harmonized, self._scores, self._labels = harmonized, scores, labels

    @cached_property
    def labels(self) -> StageArray:
        """The labels of 30 s, shape (epoch,)."""
        return self._labels(self._harmonized, self.name)

    @cached_property
    def scorers(self) -> StageArray | None:
        """Each expert's, shape (scorer, epoch), where there are several."""
        return read_scorers(self._harmonized, self.name)

    @cached_property
    def scores(self) -> StoredScores:
        """Stages at every resolution, and the hypnodensity."""
        return read_scores(self._scores, self.name)

    @cached_property
    def at_30_s(self) -> EpochProbability | None:
        """Probabilities of 30-s epochs, where the store has them."""
        return read_epoch_probability(self._scores, self.name)

    @cached_property
    def arousals(self) -> pd.DataFrame:
        """The arousals marked on the recording: onset_s and duration_s, as they stand in the file."""
        events = zarr_attrs(self._harmonized / self.name)["events"]
        table = pd.DataFrame({name: events[name] for name in ("onset_s", "duration_s", "kind")})
        marked = table.loc[table["kind"] == "arousal", ["onset_s", "duration_s"]].astype(float)
        known = np.isfinite(marked["onset_s"]) & np.isfinite(marked["duration_s"])
        return marked[known & (marked["duration_s"] > 0)]


def open_nights(
    split: pd.DataFrame, harmonized: Path, scores: Path, labels: Labels = read_stage
) -> Iterator[OpenNight]:
    """Yield the recordings of a shard's rows of a table of splits, one at a time: what one holds goes with it."""
    for record in records(split):
        yield OpenNight(record, harmonized, scores, labels)

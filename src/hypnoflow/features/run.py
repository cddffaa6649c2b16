"""One table of all features: a row per recording and resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hypnoflow.config import Features
from hypnoflow.features._dictionary import Hypnogram, features
from hypnoflow.io.files import records
from hypnoflow.io.scores import StoredScores, read_scores
from hypnoflow.types import EPOCH_S, StageArray, is_asleep


def feature_table(split: pd.DataFrame, scores: Path, options: Features) -> pd.DataFrame:
    """Return the features of every scored recording at every resolution.

    Parameters
    ----------
    split : DataFrame
        Columns cohort, shard, recording, person, split.
    scores : Path
        Folder of the stores of scores, ``{cohort}/{shard}.zarr``.
    """
    rows: list[dict[str, object]] = []
    for record in records(split):
        found = read_scores(scores / f"{record['cohort']}" / f"{record['shard']}.zarr", str(record["recording"]))
        rows += [{**record, **row} for row in recording_features(found, options)]
    return pd.DataFrame(rows)


def recording_features(found: StoredScores, options: Features) -> list[dict[str, float]]:
    """Return one row of features per resolution of one recording, finest last."""
    period = sleep_period(found.stage[1])
    rows = []
    for f in sorted(found.stage):
        hypnogram = Hypnogram(found.stage[f], f, period)
        row: dict[str, float] = {"steps_per_epoch": f, "step_s": EPOCH_S / f}
        for _, each in features:
            row |= each.compute(hypnogram, options)
        rows.append(row)
    return rows


def sleep_period(stage: StageArray) -> slice:
    """Return the epochs from the first to the last of sleep, shape (epoch,) at 30 s; empty without sleep."""
    asleep = np.flatnonzero(is_asleep(stage))
    return slice(int(asleep[0]), int(asleep[-1]) + 1) if len(asleep) else slice(0, 0)


def dictionary() -> pd.DataFrame:
    """Return the feature dictionary: name, group, unit, meaning, source."""
    return pd.DataFrame(
        [
            {"name": c.name, "group": group, "unit": c.unit, "meaning": c.meaning, "source": each.source}
            for group, each in features
            for c in each.columns
        ]
    )

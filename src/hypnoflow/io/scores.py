"""The Zarr store of scores: one group per recording, stages at every resolution and the hypnodensity."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from hypnoflow.io.store import COMPRESSOR, STAGE_ATTRS, open_array
from hypnoflow.types import EPOCH_S, STAGES, StageArray


@dataclass(frozen=True, slots=True)
class StoredScores:
    """Scores of one recording as read from disk; see `hypnoflow.score.infer.Scores`."""

    stage: dict[int, StageArray]
    probability: np.ndarray
    steps_per_epoch: int


def write_scores(
    store: Path, recording: str, scores: StoredScores, entropy_bit: np.ndarray, attributes: dict[str, Any]
) -> None:
    """Write one recording's group; it appears under its name only when it is whole."""
    partial = store / f".{recording}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    group = zarr.open_group(partial, mode="w", zarr_format=3, attributes={**attributes, "stages": list(STAGES)})
    for f, stage in scores.stage.items():
        array = group.create_array(f"stage_{f}", data=stage, compressors=COMPRESSOR, dimension_names=(f"step_{f}",))
        array.attrs.update({**STAGE_ATTRS, "steps_per_epoch": f, "step_s": EPOCH_S / f})
    for name, data, dims in (
        ("probability", scores.probability, ("step", "stage")),
        ("entropy_bit", entropy_bit, ("step",)),
    ):
        array = group.create_array(name, data=data, compressors=COMPRESSOR, dimension_names=dims)
        array.attrs.update({"steps_per_epoch": scores.steps_per_epoch, "step_s": EPOCH_S / scores.steps_per_epoch})
    shutil.rmtree(store / recording, ignore_errors=True)
    partial.rename(store / recording)


def read_scores(store: Path, recording: str) -> StoredScores:
    """Read one recording's scores."""
    names = [path.name for path in (store / recording).glob("stage_*")]
    stage = {int(name[6:]): np.asarray(open_array(store, recording, name)[:]) for name in names}
    probability = open_array(store, recording, "probability")
    steps = int(str(probability.attrs["steps_per_epoch"]))
    return StoredScores(dict(sorted(stage.items())), np.asarray(probability[:]), steps)

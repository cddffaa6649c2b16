"""The Zarr store of scores: one group per recording, stages at every resolution and the hypnodensity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from hypnoflow.facts.files import temporary_beside
from hypnoflow.facts.ours import put_in_place
from hypnoflow.store.store import COMPRESSOR, STAGE_ATTRS, open_array
from hypnoflow.types import EPOCH_S, STAGES, StageArray


@dataclass(frozen=True, slots=True)
class StoredScores:
    """Scores of one recording as read from disk; see `hypnoflow.score.infer.Scores`."""

    stage: dict[int, StageArray]
    probability: np.ndarray
    steps_per_epoch: int


@dataclass(frozen=True, slots=True)
class EpochProbability:
    """Probabilities of the stages of each 30-s epoch, before and after temperature calibration.

    calibrated, uncalibrated : ndarray of float32, shape (epoch, stage)
        NaN where nothing was recorded. Both are kept, since an ensemble's average cannot be undone.
    abstain_below : float
        Confidence below which an epoch is marked.
    """

    calibrated: NDArray[np.float32]
    uncalibrated: NDArray[np.float32]
    abstain_below: float = 0.0

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Return the largest calibrated probability of each epoch, shape (epoch,)."""
        return self.calibrated.max(1)

    @property
    def abstain(self) -> NDArray[np.bool_]:
        """Return which epochs are too uncertain, shape (epoch,); where nothing was recorded there is no doubt."""
        return self.confidence < self.abstain_below


def write_scores(
    store: Path,
    recording: str,
    scores: StoredScores,
    measures: Mapping[str, np.ndarray],
    attributes: dict[str, Any],
    at_30_s: EpochProbability | None = None,
) -> None:
    """Write one recording's group; it appears under its name only when it is whole.

    Parameters
    ----------
    measures : mapping of str to ndarray, shape (step,)
        What is said of each row of the hypnodensity: entropy_bit, margin …
    attributes : dict
        Facts about the recording.
    at_30_s : EpochProbability, optional
        Written as `probability_30_s`, `uncalibrated_30_s` and `abstain`.
    """
    partial = temporary_beside(store / recording)
    group = zarr.open_group(partial, mode="w", zarr_format=3, attributes={**attributes, "stages": list(STAGES)})
    for f, stage in scores.stage.items():
        array = group.create_array(f"stage_{f}", data=stage, compressors=COMPRESSOR, dimension_names=(f"step_{f}",))
        array.attrs.update({**STAGE_ATTRS, "steps_per_epoch": f, "step_s": EPOCH_S / f})
    steps = {"steps_per_epoch": scores.steps_per_epoch, "step_s": EPOCH_S / scores.steps_per_epoch}
    _write(group, "probability", scores.probability, ("step", "stage"), steps)
    for name, data in measures.items():
        _write(group, name, data, ("step",), steps)
    if at_30_s is not None:
        epochs = {"steps_per_epoch": 1, "step_s": EPOCH_S}
        _write(group, "probability_30_s", at_30_s.calibrated, ("epoch", "stage"), epochs)
        _write(group, "uncalibrated_30_s", at_30_s.uncalibrated, ("epoch", "stage"), epochs)
        _write(group, "abstain", at_30_s.abstain, ("epoch",), {**epochs, "abstain_below": at_30_s.abstain_below})
    put_in_place(partial, store / recording)


def _write(group: zarr.Group, name: str, data: np.ndarray, dims: tuple[str, ...], attributes: dict[str, Any]) -> None:
    array = group.create_array(name, data=data, compressors=COMPRESSOR, dimension_names=dims)
    array.attrs.update(attributes)


def read_scores(store: Path, recording: str) -> StoredScores:
    """Read one recording's scores."""
    names = [path.name for path in (store / recording).glob("stage_*")]
    stage = {int(name[6:]): np.asarray(open_array(store, recording, name)[:]) for name in names}
    probability = open_array(store, recording, "probability")
    steps = int(str(probability.attrs["steps_per_epoch"]))
    return StoredScores(dict(sorted(stage.items())), np.asarray(probability[:]), steps)


def read_epoch_probability(store: Path, recording: str) -> EpochProbability | None:
    """Read one recording's 30-s probabilities; None where the store was written without them."""
    if not (store / recording / "abstain").is_dir():
        return None
    calibrated = open_array(store, recording, "probability_30_s")
    uncalibrated = open_array(store, recording, "uncalibrated_30_s")
    below = float(str(open_array(store, recording, "abstain").attrs["abstain_below"]))
    return EpochProbability(np.asarray(calibrated[:]), np.asarray(uncalibrated[:]), below)

"""The Zarr store of scores: one group per recording, classes at every resolution and their probabilities."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from hypnoflow.errors import RecordingError
from hypnoflow.facts.files import temporary_beside
from hypnoflow.facts.ours import put_in_place
from hypnoflow.store.store import COMPRESSOR, open_array
from hypnoflow.types import EPOCH_S, STAGES, UNSCORED, StageArray

CHUNK = 2**18  # of stages: 30 s to 1 s of a night are in the first one


@dataclass(frozen=True, slots=True)
class StoredScores:
    """Scores of one recording as read from disk; see `hypnoflow.score.infer.Scores`."""

    stage: dict[int, StageArray]
    probability: np.ndarray
    steps_per_epoch: int
    classes: tuple[str, ...] = STAGES


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
    """Write one recording's group of nine files; it appears under its name only when it is whole.

    `stage` holds the classes of all resolutions one after the other, the coarsest first: whoever reads 30 s alone
    reads its first chunk. `probability`, `measure` and `epoch_probability` hold the others.

    Parameters
    ----------
    measures : mapping of str to ndarray, shape (step,)
        What is said of each row of the hypnodensity: entropy_bit, margin …
    attributes : dict
        Facts about the recording.
    at_30_s : EpochProbability, optional
        Written as `epoch_probability`, shape (epoch, 2, class): calibrated, and not.
    """
    partial = temporary_beside(store / recording)
    classes = list(scores.classes)
    group = zarr.open_group(partial, mode="w", zarr_format=3, attributes={**attributes, "classes": classes})
    fine = sorted(scores.stage)
    flags = {"flag_values": [*range(len(classes)), UNSCORED], "flag_meanings": " ".join((*classes, "unscored"))}
    stage = np.concatenate([scores.stage[f] for f in fine])
    _write(group, "stage", stage, ("stage_step",), {**flags, "steps_per_epoch": fine}, chunk=CHUNK)
    steps = {"steps_per_epoch": scores.steps_per_epoch, "step_s": EPOCH_S / scores.steps_per_epoch}
    _write(group, "probability", scores.probability, ("step", "class"), steps)
    if measures:
        columns = np.stack([np.asarray(data, np.float32) for data in measures.values()], axis=1)
        _write(group, "measure", columns, ("step", "name"), {**steps, "names": list(measures)})
    if at_30_s is not None:
        both = np.stack([at_30_s.calibrated, at_30_s.uncalibrated], axis=1)
        about = {"step_s": EPOCH_S, "ways": ["calibrated", "uncalibrated"], "abstain_below": at_30_s.abstain_below}
        _write(group, "epoch_probability", both, ("epoch", "way", "class"), about)
    put_in_place(partial, store / recording)


def _write(
    group: zarr.Group,
    name: str,
    data: np.ndarray,
    dims: tuple[str, ...],
    attributes: dict[str, Any],
    *,
    chunk: int | None = None,
) -> None:
    """Write an array as one file; of a long one, `chunk` items can be read by themselves."""
    n = len(data)
    parts: dict[str, Any] = {"chunks": tuple(max(size, 1) for size in data.shape)}
    if chunk is not None and n > chunk:
        parts = {"chunks": (chunk,), "shards": (-(-n // chunk) * chunk,)}
    array = group.create_array(
        name,
        shape=data.shape,
        dtype=data.dtype,
        compressors=COMPRESSOR,
        dimension_names=dims,
        **parts,
    )
    array[...] = data
    array.attrs.update(attributes)


def read_scores(store: Path, recording: str, only: Collection[int] | None = None) -> StoredScores:
    """Read one recording's scores, of `only` these predictions per 30 s where they are named.

    Raises
    ------
    RecordingError
        If an earlier version wrote them.
    """
    stage = _open(store, recording, "stage")
    fine = [int(f) for f in _listed(stage, "steps_per_epoch")]
    n_epochs = stage.shape[0] // sum(fine) if fine else 0
    begins = dict(zip(fine, np.cumsum([0, *fine[:-1]]) * n_epochs, strict=True))
    wanted = [f for f in fine if only is None or f in only]
    whole = np.asarray(stage[:]) if only is None else None
    found = {}
    for f in wanted:
        at = slice(int(begins[f]), int(begins[f]) + f * n_epochs)
        found[f] = whole[at] if whole is not None else np.asarray(stage[at])
    probability = _open(store, recording, "probability")
    steps = int(str(probability.attrs["steps_per_epoch"]))
    classes = str(stage.attrs["flag_meanings"]).split()[:-1]
    return StoredScores(found, np.asarray(probability[:]), steps, tuple(classes))


def read_epoch_probability(store: Path, recording: str) -> EpochProbability | None:
    """Read one recording's 30-s probabilities; None where the store was written without them."""
    if not (store / recording / "epoch_probability").is_dir():
        return None
    array = _open(store, recording, "epoch_probability")
    calibrated, uncalibrated = np.moveaxis(np.asarray(array[:]), 1, 0)
    return EpochProbability(calibrated, uncalibrated, float(str(array.attrs["abstain_below"])))


def read_measures(store: Path, recording: str) -> dict[str, NDArray[np.float32]]:
    """Read what is said of each row of a recording's hypnodensity, by name."""
    array = _open(store, recording, "measure")
    columns = np.asarray(array[:])
    return {str(name): columns[:, i] for i, name in enumerate(_listed(array, "names"))}


def _open(store: Path, recording: str, name: str) -> zarr.Array[Any]:
    if (store / recording / "stage_1").is_dir():
        raise RecordingError(
            f"{store}/{recording}: scores of an earlier version of hypnoflow, which had an array per resolution",
            hint="score again; the workflow does so by itself, and removes nothing",
        )
    return open_array(store, recording, name)


def _listed(array: zarr.Array[Any], name: str) -> list[Any]:
    """Return an attribute that is a list."""
    found: Any = array.attrs[name]
    return list(found)

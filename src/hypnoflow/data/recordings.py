"""Windows of harmonized recordings as arrays, with an optional cache of whole nights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hypnoflow.io.store import fast_array, open_array, read_stage
from hypnoflow.types import EPOCH_SAMPLES, SCORED_KINDS, UNSCORED, Kind, StageArray


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """Where a recording lies, and what is needed to draw windows from it.

    stage : ndarray of uint8, shape (epoch,)
    n_channels : int
        EEG and EOG together.
    """

    cohort: str
    recording: str
    person: str
    store: Path
    stage: StageArray
    kinds: tuple[Kind, ...]
    n_channels: int
    scale_factor: float

    @property
    def n_epochs(self) -> int:
        return len(self.stage)


def open_stored(store: Path, cohort: str, recording: str, person: str) -> StoredRecording:
    """Read a recording's stages and channel count from its store."""
    kinds = scored_kinds(store, recording)
    arrays = [open_array(store, recording, kind) for kind in kinds]
    return StoredRecording(
        cohort,
        recording,
        person,
        Path(store),
        read_stage(store, recording),
        kinds,
        sum(array.shape[0] for array in arrays),
        float(str(arrays[0].attrs["scale_factor"])),
    )


def scored_kinds(store: Path, recording: str) -> tuple[Kind, ...]:
    """Return which of EEG and EOG a recording has, in fixed order."""
    return tuple(kind for kind in SCORED_KINDS if (store / recording / kind).is_dir())


class SignalReader:
    """Reads EEG and EOG together; keeps whole nights in memory until `cache_mb` is full.

    What does not fit is read window by window, so that results never depend on the cache.
    """

    def __init__(self, cache_mb: int = 0):
        self._free = cache_mb * 1_000_000
        self._cache: dict[tuple[Path, str], np.ndarray] = {}
        self._arrays: dict[Path, Any] = {}

    def window(self, recording: StoredRecording, first_epoch: int, n_epochs: int) -> np.ndarray:
        """Return scaled signals, shape (channel, n_epochs * 3840), float32; zeros beyond the recording's end."""
        start, stop = first_epoch * EPOCH_SAMPLES, (first_epoch + n_epochs) * EPOCH_SAMPLES
        end = min(stop, recording.n_epochs * EPOCH_SAMPLES)
        whole = self._cached(recording)
        data = self._read(recording, slice(start, end)) if whole is None else whole[:, start:stop]
        x = data.astype(np.float32) * np.float32(recording.scale_factor)
        missing = stop - start - x.shape[1]
        return np.pad(x, ((0, 0), (0, missing))) if missing else x

    def _cached(self, recording: StoredRecording) -> np.ndarray | None:
        key = (recording.store, recording.recording)
        size = 2 * recording.n_channels * recording.n_epochs * EPOCH_SAMPLES
        if key not in self._cache and size <= self._free:
            self._cache[key] = self._read(recording, slice(None))
            self._free -= size
        return self._cache.get(key)

    def _read(self, recording: StoredRecording, samples: slice) -> np.ndarray:
        reads = [self._array(recording, kind)[:, samples].read() for kind in recording.kinds]
        return np.concatenate([read.result() for read in reads])

    def _array(self, recording: StoredRecording, kind: Kind) -> Any:
        """Return the open array of a kind; it stays open, since opening takes longer than reading a window."""
        path = recording.store / recording.recording / kind
        if path not in self._arrays:
            self._arrays[path] = fast_array(path)
        return self._arrays[path]


def window_stages(recording: StoredRecording, first_epoch: int, n_epochs: int) -> StageArray:
    """Return the stages of a window, shape (n_epochs,), unscored beyond the recording's end."""
    stage = recording.stage[first_epoch : first_epoch + n_epochs]
    return np.pad(stage, (0, n_epochs - len(stage)), constant_values=UNSCORED)

"""Windows of harmonized recordings as arrays, with an optional cache of whole nights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hypnoflow.io.shard import ShardedArray
from hypnoflow.io.store import open_array, read_stage
from hypnoflow.types import EPOCH_SAMPLES, SCORED_KINDS, UNSCORED, FloatArray, Kind, StageArray


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

    Parameters
    ----------
    cache_mb : int
        Memory for nights, as stored.
    threads : int
        Channels decoded side by side.
    """

    def __init__(self, cache_mb: int = 0, threads: int = 1):
        self._free = cache_mb * 1_000_000
        self._cache: dict[tuple[Path, str], NDArray[np.int16]] = {}
        self._arrays: dict[tuple[Path, str], list[tuple[ShardedArray, int]]] = {}
        self._threads = threads
        self._pool = ThreadPoolExecutor(max(threads - 1, 1))  # the caller's own thread works too

    def window(
        self,
        recording: StoredRecording,
        first_epoch: int,
        n_epochs: int,
        channels: Sequence[int] | None = None,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """Return scaled signals, shape (channel, n_epochs * 3840), float32; zeros beyond the recording's end.

        `channels` index EEG and EOG together, in this order; all of them without it. `out` is filled if given.
        """
        wanted = range(recording.n_channels) if channels is None else channels
        start, stop = first_epoch * EPOCH_SAMPLES, (first_epoch + n_epochs) * EPOCH_SAMPLES
        end = min(stop, recording.n_epochs * EPOCH_SAMPLES)
        whole = self._cached(recording)
        rows = self._rows(recording) if whole is None else []
        scale = np.float32(recording.scale_factor)
        x = np.empty((len(wanted), stop - start), np.float32) if out is None else out

        def fill(row: int) -> None:
            channel = wanted[row]
            part = x[row, : max(end - start, 0)]
            found = _samples(rows[channel], start, end) if whole is None else whole[channel, start:end]
            np.multiply(found, scale, out=part)
            x[row, len(part) :] = 0

        self._spread(fill, len(wanted))
        return x

    def _cached(self, recording: StoredRecording) -> NDArray[np.int16] | None:
        key = (recording.store, recording.recording)
        n = recording.n_epochs * EPOCH_SAMPLES
        size = 2 * recording.n_channels * n
        if key not in self._cache and size <= self._free:
            night = np.empty((recording.n_channels, n), np.int16)
            for x, row in zip(night, self._rows(recording), strict=True):
                x[:] = _samples(row, 0, n)
            self._cache[key] = night
            self._free -= size
        return self._cache.get(key)

    def _spread(self, work: Callable[[int], None], n: int) -> None:
        """Do `work` for 0 to `n` - 1, in as many threads as there may be."""

        def some(first: int) -> None:
            for i in range(first, n, self._threads):
                work(i)

        others = [self._pool.submit(some, first) for first in range(1, min(self._threads, n))]
        some(0)
        for other in others:
            other.result()

    def _rows(self, recording: StoredRecording) -> list[tuple[ShardedArray, int]]:
        """Return the open array and the row in it of each channel; what is open stays so."""
        key = (recording.store, recording.recording)
        if key not in self._arrays:
            arrays = [ShardedArray.open(recording.store / recording.recording / kind) for kind in recording.kinds]
            self._arrays[key] = [(array, row) for array in arrays for row in range(array.shape[0])]
        return self._arrays[key]


def _samples(row: tuple[ShardedArray, int], start: int, stop: int) -> NDArray[np.int16]:
    """Return the samples of one channel, shape (sample,), valid until this thread reads again."""
    array, channel = row
    return array.read(channel, start, stop)


def window_stages(recording: StoredRecording, first_epoch: int, n_epochs: int) -> StageArray:
    """Return the stages of a window, shape (n_epochs,), unscored beyond the recording's end."""
    stage = recording.stage[first_epoch : first_epoch + n_epochs]
    return np.pad(stage, (0, n_epochs - len(stage)), constant_values=UNSCORED)

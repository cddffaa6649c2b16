"""Windows of harmonized recordings as arrays, with an optional cache of whole nights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hypnoflow.store.room import Room
from hypnoflow.store.shard import ShardedArray
from hypnoflow.store.store import open_array, read_fine_stage, read_stage
from hypnoflow.types import EPOCH_S, EPOCH_SAMPLES, SCORED_KINDS, UNSCORED, FloatArray, Kind, StageArray


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """Where a recording lies, and what is needed to draw windows from it.

    stage : ndarray of uint8, shape (epoch,)
    channel_kinds : tuple of str, shape (channel,)
        Kind of each channel, EEG before EOG.
    fine : ndarray of uint8, shape (label,), optional
        Labels shorter than 30 s, to learn from instead of `stage`.
    """

    cohort: str
    recording: str
    person: str
    store: Path
    stage: StageArray
    channel_kinds: tuple[Kind, ...]
    scale_factor: float
    fine: StageArray | None = None

    @property
    def n_epochs(self) -> int:
        return len(self.stage)

    @property
    def n_channels(self) -> int:
        return len(self.channel_kinds)

    @property
    def has_pair(self) -> bool:
        """Whether there are both EEG and EOG."""
        return {"eeg", "eog"} <= set(self.channel_kinds)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return which of EEG and EOG there are."""
        return tuple(dict.fromkeys(self.channel_kinds))

    @property
    def labels(self) -> StageArray:
        """What is learnt from, shape (label,): the finer labels, else those of 30 s."""
        return self.stage if self.fine is None else self.fine

    @property
    def labels_per_epoch(self) -> int:
        return 1 if self.fine is None else len(self.fine) // max(len(self.stage), 1)


def open_stored(store: Path, cohort: str, recording: str, person: str, label_s: float = EPOCH_S) -> StoredRecording:
    """Read a recording's stages and the kinds of its channels from its store; labels other than of 30 s if asked for.

    Raises
    ------
    RecordingError
        If the store holds no labels of `label_s` seconds.
    """
    kinds = scored_kinds(store, recording)
    arrays = [open_array(store, recording, kind) for kind in kinds]
    return StoredRecording(
        cohort,
        recording,
        person,
        Path(store),
        read_stage(store, recording),
        tuple(kind for kind, array in zip(kinds, arrays, strict=True) for _ in range(array.shape[0])),
        float(str(arrays[0].attrs["scale_factor"])),
        None if label_s == EPOCH_S else read_fine_stage(store, recording, label_s),
    )


def scored_kinds(store: Path, recording: str) -> tuple[Kind, ...]:
    """Return which of EEG and EOG a recording has, in fixed order."""
    return tuple(kind for kind in SCORED_KINDS if (store / recording / kind).is_dir())


Place = tuple[StoredRecording, int, tuple[int, ...]]


class SignalReader:
    """Reads EEG and EOG together; keeps whole nights in memory until `cache_mb` is full.

    What does not fit is read window by window, so that results never depend on the cache.

    Parameters
    ----------
    cache_mb : int
        Memory for nights, as stored.
    threads : int
        Windows and channels decoded side by side.
    """

    def __init__(self, cache_mb: int = 0, threads: int = 1):
        self._free = cache_mb * 1_000_000
        self._cache: dict[tuple[Path, str], NDArray[np.int16]] = {}
        self._arrays: dict[tuple[Path, str], list[tuple[ShardedArray, int]]] = {}
        self._options = (cache_mb, threads)
        self._threads = threads
        self._pool = ThreadPoolExecutor(max(threads - 1, 1))  # the caller's own thread works too

    def __reduce__(self) -> tuple[type[SignalReader], tuple[int, int]]:
        """Travel to another process without what is open or cached."""
        return SignalReader, self._options

    def window(
        self,
        recording: StoredRecording,
        first_epoch: int,
        n_epochs: int,
        channels: Sequence[int] | None = None,
    ) -> FloatArray:
        """Return scaled signals, shape (channel, n_epochs * 3840), float32; zeros beyond the recording's end.

        `channels` index EEG and EOG together, in this order; all of them without it.
        """
        wanted = tuple(range(recording.n_channels)) if channels is None else tuple(channels)
        return self.windows([(recording, first_epoch, wanted)], n_epochs)[0]

    def night(self, recording: StoredRecording) -> tuple[NDArray[np.int16], Room]:
        """Return a whole recording as stored, shape (channel, sample), and the room in which it lies.

        Times `scale_factor` it is what `window` gives.
        """
        n = recording.n_epochs * EPOCH_SAMPLES
        room = Room(2 * recording.n_channels * n)
        night, rows = room.array((recording.n_channels, n)), self._rows(recording)

        def fill(channel: int) -> None:
            night[channel] = _samples(rows[channel], 0, n)
            room.settle()

        self._spread(fill, len(rows))
        return night, room

    def windows(self, places: Sequence[Place], n_epochs: int) -> FloatArray:
        """Return several windows of as many channels each, shape (window, channel, n_epochs * 3840), float32.

        `places` are (recording, first epoch, channels); windows and channels are read side by side.
        """
        n, n_channels = n_epochs * EPOCH_SAMPLES, len(places[0][2])
        x = np.empty((len(places), n_channels, n), np.float32)
        sources = [self._source(recording) for recording, _, _ in places]

        def fill(i: int) -> None:
            window, row = divmod(i, n_channels)
            recording, first_epoch, channels = places[window]
            start = first_epoch * EPOCH_SAMPLES
            end = max(min(start + n, recording.n_epochs * EPOCH_SAMPLES), start)
            out, source = x[window, row], sources[window]
            channel = channels[row]
            found = (
                source[channel, start:end] if isinstance(source, np.ndarray) else _samples(source[channel], start, end)
            )
            np.multiply(found, np.float32(recording.scale_factor), out=out[: end - start])
            out[end - start :] = 0

        self._spread(fill, len(places) * n_channels)
        return x

    def _source(self, recording: StoredRecording) -> NDArray[np.int16] | list[tuple[ShardedArray, int]]:
        """Return the whole night if there is room for it, else its open arrays."""
        whole = self._cached(recording)
        return self._rows(recording) if whole is None else whole

    def _cached(self, recording: StoredRecording) -> NDArray[np.int16] | None:
        key = (recording.store, recording.recording)
        n = recording.n_epochs * EPOCH_SAMPLES
        size = 2 * recording.n_channels * n
        if key not in self._cache and size <= self._free:
            night = np.empty((recording.n_channels, n), np.int16)
            rows = self._rows(recording)

            def fill(channel: int) -> None:
                night[channel] = _samples(rows[channel], 0, n)

            self._spread(fill, len(rows))
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


def window_labels(recording: StoredRecording, first_epoch: int, n_epochs: int) -> StageArray:
    """Return the labels of a window, shape (n_epochs * labels_per_epoch,), unscored beyond the recording's end."""
    per_epoch = recording.labels_per_epoch
    labels = recording.labels[first_epoch * per_epoch : (first_epoch + n_epochs) * per_epoch]
    return np.pad(labels, (0, n_epochs * per_epoch - len(labels)), constant_values=UNSCORED)

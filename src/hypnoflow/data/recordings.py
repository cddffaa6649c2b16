"""Windows of harmonized recordings as arrays, with an optional cache of whole nights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypnoflow.data.reader import Described, Night, fitted
from hypnoflow.harmonize.resample import resample
from hypnoflow.models.contract import Input, View
from hypnoflow.store.room import Room
from hypnoflow.store.shard import ShardedArray
from hypnoflow.store.store import open_array, read_stage
from hypnoflow.store.store_files import zarr_attrs
from hypnoflow.types import EPOCH_S, KINDS, RATE_HZ, UNSCORED, FloatArray, Kind, StageArray

ANY = Input()


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """Where a recording lies, and what is needed to draw windows from it.

    stage : ndarray of uint8, shape (epoch,)
        Sleep stages of 30 s, as experts scored them.
    channels : tuple of Described
        Those of the kinds that are wanted, EEG before EOG.
    task_labels : ndarray of uint8, shape (label,), optional
        What is learnt instead of `stage`: the classes of another task, or stages on a finer grid.
    """

    cohort: str
    recording: str
    person: str
    store: Path
    stage: StageArray
    channels: tuple[Described, ...]
    task_labels: StageArray | None = None

    @property
    def n_epochs(self) -> int:
        return len(self.stage)

    @property
    def n_channels(self) -> int:
        return len(self.channels)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds of its channels, each once."""
        return tuple(dict.fromkeys(channel.kind for channel in self.channels))

    @property
    def labels(self) -> StageArray:
        """What is learnt from, shape (label,): the task's labels, else the stages."""
        return self.stage if self.task_labels is None else self.task_labels

    @property
    def labels_per_epoch(self) -> int:
        return len(self.labels) // max(len(self.stage), 1)


def open_stored(
    store: Path,
    cohort: str,
    recording: str,
    person: str,
    wanted: Input = ANY,
    labels: Callable[[Path, str], StageArray] | None = None,
) -> StoredRecording:
    """Read a recording's stages and what its channels are from its store.

    Parameters
    ----------
    wanted : Input
        Says which kinds of channels are read; EEG and EOG without it.
    labels : callable, optional
        Store and recording → what is learnt, see `hypnoflow.data.tasks`; the stages without it.
    """
    channels: list[Described] = []
    for kind in stored_kinds(store, recording, wanted.wanted_kinds):
        array = open_array(store, recording, kind)
        channels += _described(kind, array.shape[0], dict(array.attrs))
    return StoredRecording(
        cohort,
        recording,
        person,
        Path(store),
        read_stage(store, recording),
        tuple(channels),
        None if labels is None else labels(Path(store), recording),
    )


def _described(kind: Kind, n: int, attributes: dict[str, Any]) -> list[Described]:
    """Return what the attributes of a kind's array say of its `n` channels."""
    unit = "_uv" if kind != "resp" else ""
    labels = attributes.get("channel") or [""] * n
    medians, spreads = attributes.get(f"median{unit}") or [0.0] * n, attributes.get(f"iqr{unit}") or [1.0] * n
    rate_hz, factor = float(attributes.get("rate_hz", RATE_HZ)), float(attributes["scale_factor"])
    each = zip(labels, medians, spreads, strict=True)
    return [Described(kind, label, rate_hz, factor, median, iqr) for label, median, iqr in each]


def stored_kinds(store: Path, recording: str, wanted: Sequence[Kind]) -> tuple[Kind, ...]:
    """Return which of the wanted kinds a recording has, in fixed order."""
    return tuple(kind for kind in KINDS if kind in wanted and (store / recording / kind).is_dir())


Place = tuple[StoredRecording, int, View]
Source = Sequence[NDArray[np.int16]] | list[tuple[ShardedArray, int]]


class SignalReader:
    """Reads channels together; keeps whole nights in memory until `cache_mb` is full.

    What does not fit is read window by window, so that results never depend on the cache.

    Parameters
    ----------
    cache_mb : int
        Memory for nights, as stored.
    threads : int
        Windows and channels decoded side by side.
    wanted : Input
        The unit and the rate in which windows are read.
    """

    def __init__(self, cache_mb: int = 0, threads: int = 1, wanted: Input = ANY):
        self._free = cache_mb * 1_000_000
        self._cache: dict[tuple[Path, str], list[NDArray[np.int16]]] = {}
        self._arrays: dict[tuple[Path, str], list[tuple[ShardedArray, int]]] = {}
        self._options = (cache_mb, threads, wanted)
        self._threads, self._wanted = threads, wanted
        self._pool = ThreadPoolExecutor(max(threads - 1, 1))  # the caller's own thread works too

    def __reduce__(self) -> tuple[type[SignalReader], tuple[int, int, Input]]:
        """Travel to another process without what is open or cached."""
        return SignalReader, self._options

    def window(
        self, recording: StoredRecording, first_epoch: int, n_epochs: int, channels: View | None = None
    ) -> FloatArray:
        """Return signals, shape (channel, n_epochs * 30 s), float32; zeros beyond the recording's end.

        `channels` index those of the recording; all of them without it. An empty slot is zeros.
        """
        wanted = tuple(range(recording.n_channels)) if channels is None else tuple(channels)
        return self.windows([(recording, first_epoch, wanted)], n_epochs)[0]

    def night(self, recording: StoredRecording) -> Night:
        """Return a whole recording as stored; `hypnoflow.data.reader` makes a network's input of it."""
        lengths = [_samples_of(channel, recording.n_epochs) for channel in recording.channels]
        room, rows = Room(2 * sum(lengths)), self._rows(recording)
        x: list[NDArray[np.int16]] = []
        for _, same in groupby(zip(recording.channels, lengths, strict=True), lambda each: each[0].kind):
            of_kind = [n for _, n in same]
            x += [*room.array((len(of_kind), of_kind[0]))]

        def fill(channel: int) -> None:
            x[channel][:] = _samples(rows[channel], 0, lengths[channel])
            room.settle()

        self._spread(fill, len(rows))
        gaps_s = zarr_attrs(recording.store / recording.recording).get("gaps_s", [])
        return Night(recording.channels, x, recording.n_epochs, gaps_s, room)

    def windows(self, places: Sequence[Place], n_epochs: int) -> FloatArray:
        """Return several windows of as many channels each, shape (window, channel, sample), float32.

        `places` are (recording, first epoch, channels); windows and channels are read side by side.
        """
        n, n_channels = round(n_epochs * EPOCH_S * self._wanted.rate_hz), len(places[0][2])
        x = np.empty((len(places), n_channels, n), np.float32)
        sources = [self._source(recording) for recording, _, _ in places]

        def fill(i: int) -> None:
            window, row = divmod(i, n_channels)
            recording, first_epoch, channels = places[window]
            channel, out = channels[row], x[window, row]
            if channel is None:
                out[:] = 0
            else:
                self._fill(out, recording, channel, sources[window], (first_epoch, n_epochs))

        self._spread(fill, len(places) * n_channels)
        return x

    def _fill(
        self, out: FloatArray, recording: StoredRecording, channel: int, source: Source, epochs: tuple[int, int]
    ) -> None:
        """Write one channel of one window, zeros beyond the recording's end; `epochs` are its first and how many."""
        about = recording.channels[channel]
        factor, offset = about.in_unit(self._wanted)
        start, n = (round(each * EPOCH_S * about.rate_hz) for each in epochs)
        end = max(min(start + n, _samples_of(about, recording.n_epochs)), start)
        one = source[channel]
        found = one[start:end] if isinstance(one, np.ndarray) else _samples(one, start, end)
        if about.rate_hz == self._wanted.rate_hz:
            np.multiply(found, np.float32(factor), out=out[: end - start])
            inside = end - start
        else:
            inside = round((end - start) * self._wanted.rate_hz / about.rate_hz)
            x = np.multiply(found, np.float32(factor), dtype=np.float32)
            if inside:
                slow = resample(x, rate_in_hz=about.rate_hz, rate_out_hz=self._wanted.rate_hz)
                out[:inside] = fitted(slow, inside)
        if offset:
            out[:inside] += np.float32(offset)
        out[inside:] = 0

    def _source(self, recording: StoredRecording) -> Source:
        """Return the whole night if there is room for it, else its open arrays."""
        whole = self._cached(recording)
        return self._rows(recording) if whole is None else whole

    def _cached(self, recording: StoredRecording) -> list[NDArray[np.int16]] | None:
        key = (recording.store, recording.recording)
        lengths = [_samples_of(channel, recording.n_epochs) for channel in recording.channels]
        size = 2 * sum(lengths)
        if key not in self._cache and size <= self._free:
            night = [np.empty(n, np.int16) for n in lengths]
            rows = self._rows(recording)

            def fill(channel: int) -> None:
                night[channel][:] = _samples(rows[channel], 0, lengths[channel])

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


def _samples_of(channel: Described, n_epochs: int) -> int:
    """Return how many samples of a channel a recording holds."""
    return round(n_epochs * EPOCH_S * channel.rate_hz)


def _samples(row: tuple[ShardedArray, int], start: int, stop: int) -> NDArray[np.int16]:
    """Return the samples of one channel, shape (sample,), valid until this thread reads again."""
    array, channel = row
    return array.read(channel, start, stop)


def window_labels(recording: StoredRecording, first_epoch: int, n_epochs: int) -> StageArray:
    """Return the labels of a window, shape (n_epochs * labels_per_epoch,), unscored beyond the recording's end."""
    per_epoch = recording.labels_per_epoch
    labels = recording.labels[first_epoch * per_epoch : (first_epoch + n_epochs) * per_epoch]
    return np.pad(labels, (0, n_epochs * per_epoch - len(labels)), constant_values=UNSCORED)

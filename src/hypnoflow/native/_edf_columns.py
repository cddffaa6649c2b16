"""The bytes of an EDF file by signal, though the file holds them by record: one pass reads as many as are expected."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypnoflow.native._edf_header import EdfHeader, EdfSignal
from hypnoflow.native.source import Identity, cut_off, opened, read_into

if TYPE_CHECKING:
    from hypnoflow.store.shard import Map

BLOCK_BYTES = 2**20  # of the file that is read at a time: what stays in the processor's cache
PART_BYTES = 2**24  # of the file that one thread works on
HELD_BYTES = 3 * 2**25  # of signals that are held until they are asked for
WORTH_SKIPPING = 2**15  # bytes of a record that cost more to read than a call of the system

Column = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring bytes of each record that are read together, and the signals in them."""

    begin: int
    end: int
    signals: tuple[EdfSignal, ...]


class Columns:
    """The signals' bytes, each of shape (record, byte).

    All signals are interleaved, so that reading one passes over the whole file. Those that are expected are
    therefore read along with the first of them that is asked for, as far as `HELD_BYTES` goes.

    Parameters
    ----------
    path, identity : Path, Identity
        The file, and what it was when its header was read.
    """

    def __init__(self, path: Path, identity: Identity, header: EdfHeader, n_records: int):
        self._path, self._identity, self._header, self._n = path, identity, header, n_records
        self._record_bytes = header.record_samples * header.sample_bytes
        self._expected: Counter[str] = Counter()
        self._held: dict[str, Column] = {}
        self._lock = threading.Lock()

    def expect(self, labels: Iterable[str], run: Map = map) -> None:
        """Read the first of the signals that will be asked for, each as often as it is named; `run` maps over parts.

        Raises
        ------
        RecordingError
            If the file cannot be read, or is no more what it was.
        """
        with self._lock:
            self._expected = Counter(labels)
            self._held.clear()
            first = next(iter(self._expected), None)
            if first is not None:
                self._load(first, run)

    def take(self, label: str) -> Column:
        """Return a signal's bytes, which are the caller's.

        Raises
        ------
        RecordingError
            If the file cannot be read, or is no more what it was.
        """
        with self._lock:
            if label not in self._held:
                self._load(label, map)
            if self._expected[label] > 1:
                self._expected[label] -= 1
                return self._held[label].copy()
            del self._expected[label]
            return self._held.pop(label)

    def of_record(self, label: str, record: int) -> bytes:
        """Return the bytes of a signal in one record."""
        begin, end = self._place(self._header.signals[label])
        out = bytearray(end - begin)
        with opened(self._path, self._identity) as file:
            self._read(file, out, self._header.n_bytes + record * self._record_bytes + begin)
        return bytes(out)

    def _load(self, first: str, run: Map) -> None:
        """Read one signal, and others that are expected while there is room."""
        room = HELD_BYTES - sum(column.nbytes for column in self._held.values())
        chosen: list[EdfSignal] = []
        for label in (first, *self._expected):
            signal = self._header.signals[label]
            if signal in chosen or label in self._held:
                continue
            begin, end = self._place(signal)
            room -= (end - begin) * self._n
            if chosen and room < 0:
                break
            chosen.append(signal)
        columns = {s.label: np.empty((self._n, self._width(s)), np.uint8) for s in chosen}
        step = max(PART_BYTES // self._record_bytes, 1)
        with opened(self._path, self._identity) as file:
            list(run(partial(self._part, file, self._runs(chosen), columns, step), range(0, self._n, step)))
        self._held |= columns

    def _part(self, file: int, runs: Sequence[_Run], columns: dict[str, Column], n: int, first: int) -> None:
        """Read `n` records from `first` on, a block at a time, and sort their bytes into the columns."""
        for run in runs:
            width = run.end - run.begin
            step = max(BLOCK_BYTES // width, 1)
            block = np.empty((min(step, n), width), np.uint8)
            stop = min(first + n, self._n)
            for record in range(first, stop, step):
                raw = block[: min(step, stop - record)]
                at = self._header.n_bytes + record * self._record_bytes + run.begin
                if width == self._record_bytes:
                    self._read(file, raw, at)
                else:
                    for i, row in enumerate(raw):
                        self._read(file, row, at + i * self._record_bytes)
                for signal in run.signals:
                    begin, end = self._place(signal)
                    columns[signal.label][record : record + len(raw)] = raw[:, begin - run.begin : end - run.begin]

    def _runs(self, signals: Sequence[EdfSignal]) -> list[_Run]:
        """Return what is read of each record: all of it, unless what lies between is worth skipping."""
        runs: list[_Run] = []
        for signal in sorted(signals, key=lambda signal: signal.offset):
            begin, end = self._place(signal)
            if runs and begin - runs[-1].end < WORTH_SKIPPING:
                runs[-1] = _Run(runs[-1].begin, end, (*runs[-1].signals, signal))
            else:
                runs.append(_Run(begin, end, (signal,)))
        skipped = self._record_bytes - sum(run.end - run.begin for run in runs)
        if skipped < WORTH_SKIPPING * len(runs):
            return [_Run(0, self._record_bytes, tuple(signals))]
        return runs

    def _place(self, signal: EdfSignal) -> tuple[int, int]:
        """Return where a signal's bytes begin and end in a record."""
        begin = signal.offset * self._header.sample_bytes
        return begin, begin + self._width(signal)

    def _width(self, signal: EdfSignal) -> int:
        return signal.samples * self._header.sample_bytes

    def _read(self, file: int, out: Column | bytearray, at: int) -> None:
        """Fill `out` from the file; RecordingError where it ends too early."""
        if read_into(file, out, at) < len(out):
            raise cut_off(self._identity.size, os.fstat(file).st_size, self._path)

"""A recording without its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hypnoflow.native.signals import expect
from hypnoflow.types import FloatArray, Samples, SignalFile

if TYPE_CHECKING:
    from hypnoflow.store.shard import Map


class CutFile:
    """Another file from `from_s` seconds on; each signal is cut at its own sample next to that time."""

    def __init__(self, file: SignalFile, from_s: float):
        self._file, self._from_s = file, from_s
        self.path: Path = file.path
        self.warnings = file.warnings

    @property
    def labels(self) -> Sequence[str]:
        """Labels of the whole file."""
        return self._file.labels

    @property
    def start(self) -> datetime | None:
        """Absolute time of the cut, if the file knows its own start."""
        start = self._file.start
        return None if start is None else start + timedelta(seconds=self._from_s)

    @property
    def duration_s(self) -> float:
        """Length of what is left, s."""
        return self._file.duration_s - self._from_s

    @property
    def gaps_s(self) -> list[tuple[float, float]]:
        """Gaps of what is left, s from the cut."""
        later = [(start - self._from_s, end - self._from_s) for start, end in self._file.gaps_s]
        return [(max(start, 0.0), end) for start, end in later if end > 0]

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate of one signal, Hz."""
        return self._file.rate_hz(label)

    def unit(self, label: str) -> str:
        """Return the unit of `read`."""
        return self._file.unit(label)

    def expect(self, labels: Sequence[str], run: Map = map) -> None:
        """Tell the whole file which signals will be asked for."""
        expect(self._file, labels, run)

    def read(self, label: str) -> FloatArray:
        """Return what is left of a signal, shape (sample,), in `unit`."""
        return self._file.read(label)[self._first(label) :]

    def samples(self, label: str) -> Samples:
        """Return what is left of a signal as the file holds it."""
        whole = self._file.samples(label)
        return replace(whole, values=whole.values[self._first(label) :])

    def _first(self, label: str) -> int:
        return round(self._from_s * self.rate_hz(label))

"""HDF5 recordings of the Dreem Open Datasets: one data set per signal, described by a JSON attribute."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from hypnoflow.errors import RecordingError
from hypnoflow.native._base import ContinuousFile
from hypnoflow.native._hdf5 import row_of_numbers
from hypnoflow.native._unique import unique_labels
from hypnoflow.native.damaged import PARSER_ERRORS, cause, check_length
from hypnoflow.native.edf import uv_factor
from hypnoflow.native.source import Snapshot
from hypnoflow.types import FloatArray


class DodFile(ContinuousFile):
    """A Dreem Open Dataset recording; labels are the last part of each signal's path.

    Raises
    ------
    RecordingError
        If the file is not HDF5, has no readable `description`, or says what cannot be.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.warnings: list[str] = []
        self._unchanged = Snapshot([self.path])
        try:
            with h5py.File(self.path, "r") as file:
                description = json.loads(file.attrs["description"])
                labels, renamed = unique_labels([d["path"].rpartition("/")[2] for d in description])
                self.warnings += renamed
                self._signals = dict(zip(labels, description, strict=True))
                self._rate_hz = {label: float(d["fs"]) for label, d in self._signals.items()}
                self._length = {label: len(self._dataset(file, d["path"])) for label, d in self._signals.items()}
                self._start = _start(file)
            if not self._signals:
                raise ValueError("the description names no signal")
            for label, rate_hz in self._rate_hz.items():
                check_length(label, self._length[label], rate_hz)
        except PARSER_ERRORS as error:
            raise RecordingError(f"not a Dreem Open Dataset file ({cause(error)})", path=self.path) from error

    @property
    def labels(self) -> Sequence[str]:
        """Signal names in the description's order."""
        return list(self._signals)

    @property
    def start(self) -> datetime | None:
        """Start, where the file holds it (seconds since 1970)."""
        return self._start

    @property
    def duration_s(self) -> float:
        """Length of the shortest signal, s."""
        return min(n / self.rate_hz(label) for label, n in self._length.items())

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate, Hz."""
        return self._rate_hz[label]

    def unit(self, label: str) -> str:
        """Return "uV" for potentials, else the description's unit."""
        unit = str(self._signals[label].get("unit", "uV"))
        return unit if uv_factor(unit) is None else "uV"

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`."""
        described = self._signals[label]
        factor = np.float32(uv_factor(str(described.get("unit", "uV"))) or 1.0)
        try:
            # Values beyond float32 become infinite, which counts as missing.
            with h5py.File(self.path, "r") as file, np.errstate(over="ignore", invalid="ignore"):
                x = np.asarray(self._dataset(file, described["path"]), np.float32) * factor
        except PARSER_ERRORS as error:
            self._unchanged.check()
            raise RecordingError(f"cannot read signal {label!r} ({cause(error)})", path=self.path) from error
        self._unchanged.check()  # HDF5 gives zeros for what lies behind the end of a file
        return x

    def hypnogram(self) -> list[int]:
        """Return the consensus that the file itself carries, one code (-1 to 4) per 30-s epoch."""
        try:
            with h5py.File(self.path, "r") as file:
                codes = [int(c) for c in self._dataset(file, "hypnogram")[:]] if "hypnogram" in list(file) else None
        except PARSER_ERRORS as error:
            self._unchanged.check()
            raise RecordingError(f"cannot read the hypnogram ({cause(error)})", path=self.path) from error
        self._unchanged.check()
        if codes is None:
            raise RecordingError("no hypnogram in the file, and no scorers' files", path=self.path)
        return codes

    def _dataset(self, file: h5py.File, name: str) -> h5py.Dataset:
        return row_of_numbers(file, name, self.path.stat().st_size)


def _start(file: h5py.File) -> datetime | None:
    """Return the start; None where the file has none, or a time that cannot be."""
    if "start_time" not in file.attrs:
        return None
    try:
        return datetime.fromtimestamp(float(file.attrs["start_time"]), UTC).replace(tzinfo=None)
    except (OverflowError, OSError, TypeError, ValueError):
        return None

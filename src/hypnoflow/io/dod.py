"""HDF5 recordings of the Dreem Open Datasets: one data set per signal, described by a JSON attribute."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from hypnoflow.errors import RecordingError
from hypnoflow.io.edf import uv_factor
from hypnoflow.types import FloatArray


class DodFile:
    """A Dreem Open Dataset recording; labels are the last part of each signal's path.

    Raises
    ------
    RecordingError
        If the file is not HDF5, or has no readable `description`.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.warnings: list[str] = []
        try:
            with h5py.File(self.path, "r") as file:
                description = json.loads(file.attrs["description"])
                self._signals = {d["path"].rpartition("/")[2]: d for d in description}
                self._length = {label: len(file[d["path"]]) for label, d in self._signals.items()}
                self._rate_hz = {label: float(d["fs"]) for label, d in self._signals.items()}
                self._start = file.attrs.get("start_time")
            if not self._signals:
                raise ValueError("the description names no signal")
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise RecordingError(f"not a Dreem Open Dataset file ({error})", path=self.path) from error

    @property
    def labels(self) -> Sequence[str]:
        """Signal names in the description's order."""
        return list(self._signals)

    @property
    def start(self) -> datetime | None:
        """Start, where the file holds it (seconds since 1970)."""
        return None if self._start is None else datetime.fromtimestamp(float(self._start), UTC).replace(tzinfo=None)

    @property
    def duration_s(self) -> float:
        """Length of the shortest signal, s."""
        return min(n / self.rate_hz(label) for label, n in self._length.items())

    @property
    def gaps_s(self) -> list[tuple[float, float]]:
        """None: these files are continuous."""
        return []

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
        with h5py.File(self.path, "r") as file:
            x = np.asarray(file[described["path"]], np.float32)
        return x * np.float32(uv_factor(str(described.get("unit", "uV"))) or 1.0)

    def hypnogram(self) -> list[int]:
        """Return the consensus that the file itself carries, one code (-1 to 4) per 30-s epoch."""
        with h5py.File(self.path, "r") as file:
            if "hypnogram" not in file:
                raise RecordingError("no hypnogram in the file, and no scorers' files", path=self.path)
            return [int(code) for code in file["hypnogram"]]

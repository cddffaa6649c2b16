"""HDF5 recordings of the Danish Center for Sleep Medicine: ``channels/<label>``.

The attribute `sample_rate` stands at the data set, its group or the file; the nearest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np

from hypnoflow.errors import RecordingError
from hypnoflow.types import FloatArray

GROUP = "channels"


class DcsmFile:
    """A recording of the Danish Center for Sleep Medicine; potentials are in microvolts.

    Raises
    ------
    RecordingError
        If the file is not HDF5, or its group of channels is missing or damaged.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.warnings: list[str] = []
        try:
            with h5py.File(self.path, "r") as file:
                group = file[GROUP]
                self._length = {label: int(signal.size) for label, signal in group.items() if signal.ndim == 1}
                shared = {**file.attrs, **group.attrs}
                self._rate_hz = {
                    label: float({**shared, **group[label].attrs}["sample_rate"]) for label in self._length
                }
            if not all(rate > 0 for rate in self._rate_hz.values()) or not self._length:
                raise ValueError(f"no signal with a sample_rate in {GROUP}/")
        except (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise RecordingError(f"not a recording of this cohort ({error})", path=self.path) from error

    @property
    def labels(self) -> Sequence[str]:
        """Signal names, sorted."""
        return list(self._length)

    @property
    def start(self) -> datetime | None:
        """None: the recordings are anonymous in time."""
        return None

    @property
    def duration_s(self) -> float:
        """Length of the shortest signal, s."""
        return min(n / self._rate_hz[label] for label, n in self._length.items())

    @property
    def gaps_s(self) -> list[tuple[float, float]]:
        """No gaps: the format has none."""
        return []

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate, Hz."""
        return self._rate_hz[label]

    def unit(self, label: str) -> str:
        """Return "%" for the oximeter, else "uV"."""
        return "%" if label.upper() == "SPO2" else "uV"

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`."""
        try:
            with h5py.File(self.path, "r") as file:
                return np.asarray(file[GROUP][label], np.float32)
        except (OSError, KeyError, RuntimeError) as error:
            raise RecordingError(f"cannot read signal {label!r} ({error})", path=self.path) from error

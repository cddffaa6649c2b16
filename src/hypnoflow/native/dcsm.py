"""HDF5 recordings of the Danish Center for Sleep Medicine: ``channels/<label>``.

The attribute `sample_rate` stands at the data set, its group or the file; the nearest counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hypnoflow.errors import RecordingError
from hypnoflow.native._base import ContinuousFile
from hypnoflow.native._hdf5 import own_object, row_of_numbers
from hypnoflow.native.damaged import PARSER_ERRORS, cause, check_length
from hypnoflow.native.source import Snapshot
from hypnoflow.types import FloatArray

GROUP = "channels"


class DcsmFile(ContinuousFile):
    """A recording of the Danish Center for Sleep Medicine; potentials are in microvolts.

    Raises
    ------
    RecordingError
        If the file is not HDF5, or its group of channels is missing or damaged.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.warnings: list[str] = []
        self._unchanged = Snapshot([self.path])
        try:
            with h5py.File(self.path, "r") as file:
                group = own_object(file, GROUP)
                signals = {label: self._dataset(group, label) for label in group if _is_row(own_object(group, label))}
                shared = {**file.attrs, **group.attrs}
                self._length = {label: len(signal) for label, signal in signals.items()}
                self._rate_hz = {label: _rate_hz({**shared, **signal.attrs}) for label, signal in signals.items()}
            if not self._length:
                raise ValueError(f"no signal in {GROUP}/")
            for label, samples in self._length.items():
                check_length(label, samples, self._rate_hz[label])
        except PARSER_ERRORS as error:
            raise RecordingError(f"not a recording of this cohort ({cause(error)})", path=self.path) from error

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

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate, Hz."""
        return self._rate_hz[label]

    def unit(self, label: str) -> str:
        """Return "%" for the oximeter, else "uV"."""
        return "%" if label.upper() == "SPO2" else "uV"

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`."""
        try:
            # Values beyond float32 become infinite, which counts as missing.
            with h5py.File(self.path, "r") as file, np.errstate(over="ignore", invalid="ignore"):
                x = np.asarray(self._dataset(own_object(file, GROUP), label), np.float32)
        except PARSER_ERRORS as error:
            self._unchanged.check()
            raise RecordingError(f"cannot read signal {label!r} ({cause(error)})", path=self.path) from error
        self._unchanged.check()  # HDF5 gives zeros for what lies behind the end of a file
        return x

    def _dataset(self, group: h5py.Group, label: str) -> h5py.Dataset:
        return row_of_numbers(group, label, self.path.stat().st_size)


def _is_row(node: h5py.HLObject) -> bool:
    return isinstance(node, h5py.Dataset) and node.ndim == 1


def _rate_hz(attributes: Mapping[str, Any]) -> float:
    """Return the rate; TypeError where it is not one number."""
    return float(np.asarray(attributes["sample_rate"]).item())

"""WFDB records (PhysioNet): signals through the `wfdb` library, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import wfdb

from hypnoflow.errors import RecordingError
from hypnoflow.io.edf import uv_factor
from hypnoflow.types import FloatArray


class WfdbFile:
    """A WFDB record, given by its header file.

    Raises
    ------
    RecordingError
        If the header cannot be parsed.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.warnings: list[str] = []
        self._name = str(self.path.with_suffix(""))
        try:
            self._header = wfdb.rdheader(self._name)
        except (OSError, ValueError, IndexError, KeyError) as error:
            raise RecordingError(f"not a readable WFDB header ({error})", path=self.path) from error
        if not self._header.n_sig:
            raise RecordingError("the WFDB header names no signal", path=self.path)
        self._all: np.ndarray | None = None

    @property
    def labels(self) -> Sequence[str]:
        """Signal names in file order."""
        return list(self._header.sig_name)

    @property
    def start(self) -> datetime | None:
        """Start, where the header holds date and time."""
        return self._header.base_datetime

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self._header.sig_len / self._header.fs

    @property
    def gaps_s(self) -> list[tuple[float, float]]:
        """None: these files are continuous."""
        return []

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate, Hz."""
        frames = self._header.samps_per_frame[self.labels.index(label)] or 1
        return float(self._header.fs * frames)

    def unit(self, label: str) -> str:
        """Return "uV" for potentials, else the header's unit."""
        unit = self._header.units[self.labels.index(label)] or ""
        return unit if uv_factor(unit) is None else "uV"

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`."""
        i = self.labels.index(label)
        if self._all is None:
            # The samples of all signals lie interleaved: one pass as integers, then one column at a time.
            try:
                self._all = wfdb.rdrecord(self._name, physical=False, return_res=16).d_signal
            except (OSError, ValueError) as error:
                raise RecordingError(f"cannot read the signals ({error})", path=self.path) from error
        digital = self._all[:, i]
        x = (digital.astype(np.float32) - np.float32(self._header.baseline[i])) / np.float32(self._header.adc_gain[i])
        x[digital == -32768] = np.nan  # WFDB's mark for a missing sample
        return x * np.float32(uv_factor(self._header.units[i] or "") or 1.0)

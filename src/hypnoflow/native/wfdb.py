"""WFDB records (PhysioNet): signals through the `wfdb` library, one at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import wfdb
from wfdb.io._signal import INVALID_SAMPLE_VALUE

from hypnoflow.errors import RecordingError
from hypnoflow.native._base import ContinuousFile
from hypnoflow.native._companions import companions
from hypnoflow.native._unique import unique_labels
from hypnoflow.native.damaged import LONGEST_S, PARSER_ERRORS, SAMPLES_PER_BYTE, cause
from hypnoflow.native.edf import uv_factor
from hypnoflow.native.source import Snapshot
from hypnoflow.types import FloatArray


class WfdbFile(ContinuousFile):
    """A WFDB record, given by its header file.

    Raises
    ------
    RecordingError
        If the header cannot be parsed, says what cannot be, or names a signal file outside of its own folder.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.warnings: list[str] = []
        self._name = str(self.path.with_suffix(""))
        self._unchanged = Snapshot([self.path, *companions(self.path)])
        try:
            self._header = wfdb.rdheader(self._name)
            self._check_header()
        except PARSER_ERRORS as error:
            self._unchanged.check()
            raise RecordingError(f"not a readable WFDB header ({cause(error)})", path=self.path) from error
        names = [name or f"signal {i}" for i, name in enumerate(self._header.sig_name, 1)]
        self._labels, renamed = unique_labels(names)
        self.warnings += renamed
        self._all: list[np.ndarray] | None = None

    def _check_header(self) -> None:
        """Raise ValueError for what no record has, before a size is believed or a file is opened."""
        header = self._header
        if not header.n_sig or header.n_sig != len(header.sig_name):
            raise ValueError(f"it announces {header.n_sig} signals and describes {len(header.sig_name or ())}")
        if not (0 < header.fs < math.inf and header.sig_len and 0 < header.sig_len / header.fs <= LONGEST_S):
            raise ValueError(f"{header.sig_len} samples at {header.fs} Hz; at most {LONGEST_S / 3600:g} h are read")
        for i, (gain, baseline) in enumerate(zip(header.adc_gain, header.baseline, strict=True)):
            if not (1e-9 < abs(gain) < 1e9 and abs(baseline) < 2**31):
                raise ValueError(f"signal {i + 1} has gain {gain} and baseline {baseline}")
        if min(header.samps_per_frame) < 1:
            raise ValueError("a signal has no samples in a frame")
        files = {self.path.parent / name for name in header.file_name}
        held = sum(path.stat().st_size for path in files if path.is_file())
        claimed = header.sig_len * sum(header.samps_per_frame)
        if held and claimed > held * SAMPLES_PER_BYTE:
            raise ValueError(f"it claims {claimed} samples, the signal files hold {held} bytes")

    @property
    def labels(self) -> Sequence[str]:
        """Signal names in file order."""
        return self._labels

    @property
    def start(self) -> datetime | None:
        """Start, where the header holds date and time."""
        return self._header.base_datetime

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self._header.sig_len / self._header.fs

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate, Hz."""
        return float(self._header.fs * self._header.samps_per_frame[self.labels.index(label)])

    def unit(self, label: str) -> str:
        """Return "uV" for potentials, else the header's unit."""
        unit = self._header.units[self.labels.index(label)] or ""
        return unit if uv_factor(unit) is None else "uV"

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`."""
        i = self.labels.index(label)
        if self._all is None:
            # The samples of all signals lie interleaved: one pass as integers, each signal at its own rate.
            bits = 32 if {"24", "524", "32"} & set(self._header.fmt) else 16
            try:
                record = wfdb.rdrecord(self._name, physical=False, return_res=bits, smooth_frames=False)
            except PARSER_ERRORS as error:
                self._unchanged.check()
                raise RecordingError(f"cannot read the signals ({cause(error)})", path=self.path) from error
            self._unchanged.check()
            self._all = record.e_d_signal
        digital = self._all[i]
        x = (digital.astype(np.float32) - np.float32(self._header.baseline[i])) / np.float32(self._header.adc_gain[i])
        missing = INVALID_SAMPLE_VALUE.get(self._header.fmt[i])  # WFDB's mark differs between formats
        if missing is not None:
            x[digital == missing] = np.nan
        return x * np.float32(uv_factor(self._header.units[i] or "") or 1.0)

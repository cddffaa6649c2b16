"""BrainVision, EEGLAB, FIF and GDF through MNE: opened without loading, one signal read at a time.

EDF and BDF are not read this way: MNE brings all signals of a file to the highest rate, and sleep recordings mix them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import h5py
import numpy as np

from hypnoflow.errors import RecordingError
from hypnoflow.native._base import ContinuousFile
from hypnoflow.native._companions import SAMPLES, companions
from hypnoflow.native._hdf5 import check_whole
from hypnoflow.native._mat import check_tags
from hypnoflow.native.damaged import SAMPLES_PER_BYTE, cause, check_length
from hypnoflow.native.source import Snapshot, own_name
from hypnoflow.types import FloatArray, StageRun

SUFFIXES = (".vhdr", ".set", ".fif", ".gdf")
FIFF_UNIT_VOLT = 107
BREAKS = ("bad_acq_skip", "boundary", "bad boundary", "edge boundary", "new segment")
# What MNE's readers raise on files that are damaged, cut off or of another kind; among it is Exception itself.
DAMAGED = Exception


class MneFile(ContinuousFile):
    """A recording that MNE can open; signals are its channels, potentials in microvolts.

    Raises
    ------
    RecordingError
        If MNE cannot open the file, it holds epochs instead of a continuous recording, or it names files that are not
        of its own folder.
    """

    def __init__(self, path: Path):
        import mne  # here, since it takes a second and most recordings do not need it

        self.path = Path(path)
        self.warnings: list[str] = []
        self._unchanged = Snapshot([self.path, *companions(self.path)])
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                check = CHECKS.get(self.path.suffix.lower())
                if check is not None:
                    check(self.path)
                self._raw = mne.io.read_raw(self.path, preload=False, verbose="error")
                self._unchanged.check()
                self._check()
                self._unchanged = Snapshot(self._check_files())
            except RecordingError:
                raise
            except DAMAGED as error:
                self._unchanged.check()
                raise RecordingError(
                    f"MNE cannot open it as {self.path.suffix} ({cause(error)})", path=self.path
                ) from error
        about_file = (w for w in said if not issubclass(w.category, (DeprecationWarning, FutureWarning)))
        self.warnings += [" ".join(str(w.message).split()) for w in about_file]
        self._rows = {label: i for i, label in enumerate(self._raw.ch_names)}
        breaks = [m for m in self._marks() if _is_break(m.label) and m.onset_s > 0]
        if breaks:
            self.warnings.append(
                f"{len(breaks)} breaks in the recording, first at {breaks[0].onset_s:g} s ({breaks[0].label}); "
                "what lies on both sides is joined"
            )

    def _check(self) -> None:
        """Raise ValueError for what no recording has, before a size is believed."""
        rate_hz, n, labels = float(self._raw.info["sfreq"]), int(self._raw.n_times), self._raw.ch_names
        if not labels or len(set(labels)) < len(labels):
            raise ValueError(f"its channels are {', '.join(map(repr, labels)) or 'none'}")
        check_length(labels[0], n, rate_hz)
        held = sum(Path(name).stat().st_size for name in (self.path, *self._raw.filenames) if name)
        if n * len(labels) > held * SAMPLES_PER_BYTE:
            raise ValueError(f"it claims {n} samples of {len(labels)} channels in {held} bytes")

    def _check_files(self) -> list[Path]:
        """Return the files that MNE reads; ValueError if one lies elsewhere, or is not of the kind expected."""
        own = Path(os.path.abspath(self.path))  # noqa: PTH100 (a link stays one)
        others = [Path(os.path.abspath(name)) for name in self._raw.filenames if name]  # noqa: PTH100
        for other in others:
            inside = other.parent == own.parent
            own_name(other.name if inside else str(other), SAMPLES[self.path.suffix.lower()], "the file")
        return list(dict.fromkeys([self.path, *companions(self.path), *(path for path in others if path != own)]))

    @property
    def labels(self) -> Sequence[str]:
        """Channel names in file order."""
        return list(self._rows)

    @property
    def start(self) -> datetime | None:
        """Start of the first sample, where the file knows it."""
        began = self._raw.info["meas_date"]
        return None if began is None else began.replace(tzinfo=None) + timedelta(seconds=float(self._raw.first_time))

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return float(self._raw.n_times / self._raw.info["sfreq"])

    @property
    def gaps_s(self) -> list[tuple[float, float]]:
        """None that is part of the time axis: MNE joins what lies on both sides of a break, which is warned of."""
        return []

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate, Hz: one for all channels."""
        return float(self._raw.info["sfreq"])

    def unit(self, label: str) -> str:
        """Return "uV" for a potential, else the file's unit; "" where MNE does not know it."""
        if self._raw.info["chs"][self._rows[label]]["unit"] == FIFF_UNIT_VOLT:
            return "uV"
        return str(self._raw._orig_units.get(label, "")).replace("n/a", "")

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`."""
        try:
            x = self._raw.get_data(picks=[self._rows[label]], verbose="error")[0]
        except DAMAGED as error:
            self._unchanged.check()
            raise RecordingError(f"the samples of {label!r} cannot be read ({cause(error)})", path=self.path) from error
        self._unchanged.check()
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite, which counts as missing
            return np.asarray(x * (1e6 if self.unit(label) == "uV" else 1.0), np.float32)

    def annotations(self) -> list[StageRun]:
        """Return the marks in the file other than breaks, times from the first sample, s."""
        return [mark for mark in self._marks() if not _is_break(mark.label)]

    def _marks(self) -> list[StageRun]:
        marks = self._raw.annotations
        first_s = float(self._raw.first_time) if marks.orig_time is not None else 0.0
        return [
            StageRun(float(onset) - first_s, float(duration), str(text).removeprefix("Comment/"))
            for onset, duration, text in zip(marks.onset, marks.duration, marks.description, strict=True)
        ]


def _check_eeglab(path: Path) -> None:
    """Raise ValueError if a file of MATLAB 5 is damaged, or one of MATLAB 7.3, which is HDF5, leads into others."""
    check_tags(path)
    if h5py.is_hdf5(path):
        check_whole(path)


def _check_gdf(path: Path) -> None:
    """Raise ValueError if the head of a GDF file cannot be one: MNE would build lists of whatever length it states.

    Schlögl 2006, arXiv cs/0608052: 256 bytes, the number of signals at 252 (four bytes before version 1.9, then two),
    and as many bytes again for each signal.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(256)
    try:
        version = float(head[4:8]) if head.startswith(b"GDF ") and len(head) == 256 else 0.0
    except ValueError:
        version = 0.0
    if not version > 0:
        raise ValueError("it does not begin as a GDF file does")
    n_signals = int.from_bytes(head[252 : 256 if version < 1.9 else 254], "little")
    if not 0 < n_signals <= size // 256 - 1:
        raise ValueError(f"it announces {n_signals} signals, which {size} bytes cannot describe")


def _is_break(label: str) -> bool:
    return label.lower().startswith(BREAKS)


CHECKS = {
    ".gdf": _check_gdf,
    ".set": _check_eeglab,
}  # against damage that hangs or crashes the libraries

"""Which reader opens a recording, by its suffix."""

from __future__ import annotations

from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.io import mne
from hypnoflow.io.edf import EdfFile
from hypnoflow.types import SignalFile

EDF_SUFFIXES = (".edf", ".rec", ".bdf")
SUFFIXES = (*EDF_SUFFIXES, *mne.SUFFIXES)


def open_recording_file(path: Path) -> SignalFile:
    """Open a recording of any known format; RecordingError if it is of none."""
    suffix = path.suffix.lower()
    if suffix in EDF_SUFFIXES:
        return EdfFile(path)
    if suffix in mne.SUFFIXES:
        return mne.MneFile(path)
    raise RecordingError(
        f"no reader for {path.suffix or 'a file without suffix'}; known: {', '.join(SUFFIXES)}", path=path
    )


def files_of(path: Path) -> list[Path]:
    """Return all files that hold one recording's signals: `path`, and what it only describes."""
    beside = {".hea": (".mat",), **mne.COMPANIONS}.get(path.suffix.lower(), ())
    return [path, *(other for suffix in beside if (other := path.with_suffix(suffix)).exists())]

"""Which reader opens a recording, by its suffix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hypnoflow.errors import RecordingError
from hypnoflow.native import mne
from hypnoflow.native._companions import companions
from hypnoflow.native.edf import EdfFile
from hypnoflow.native.source import Snapshot
from hypnoflow.types import SignalFile

if TYPE_CHECKING:
    from hypnoflow.store.shard import Map

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


def expect(file: SignalFile, labels: Sequence[str], run: Map = map) -> None:
    """Tell a file which signals will be asked for, each as often as it will be; some read several in one pass."""
    ahead = getattr(file, "expect", None)
    if ahead is not None:
        ahead(labels, run)


def snapshot(paths: Iterable[Path]) -> Snapshot:
    """Remember what files are before they are opened; ``check()`` of it raises RecordingError if one was changed since.

    Raises
    ------
    RecordingError
        If one of them is not there, or is no regular file.
    """
    return Snapshot(paths)


def files_of(path: Path) -> list[Path]:
    """Return all files that hold one recording's signals: `path`, and what it only describes.

    Raises
    ------
    RecordingError
        If its header cannot be read, or names a file that is not of the recording's own folder.
    """
    return [path, *companions(path)]

"""A recording of an EEG-BIDS data set: its signals, with what ``channels.tsv`` says about them.

Format: https://bids-specification.readthedocs.io, modality specific files, EEG.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.damaged import PARSER_ERRORS, cause
from hypnoflow.native.edf import uv_factor
from hypnoflow.native.signals import expect, open_recording_file
from hypnoflow.store.shard import Map
from hypnoflow.types import FloatArray, Samples, SignalFile, StageRun

TYPES = {"EEG": "eeg", "EOG": "eog", "HEOG": "eog", "VEOG": "eog", "EMG": "emg", "ECG": "ecg", "RESP": "resp"}
LEVELS = 4  # eeg, session, subject, data set: where a file may lie that holds for all below it


def entities(name: str) -> dict[str, str]:
    """Return the entities of a BIDS file name: ``sub-01_task-sleep_eeg.edf`` gives ``{sub: 01, task: sleep}``."""
    parts = (part.partition("-") for part in name.split("_"))
    return {key: value for key, mark, value in parts if mark}


def beside(signals: Path, suffix: str) -> Path | None:
    """Return the closest file of a kind that applies to a recording, by BIDS' inheritance principle.

    Parameters
    ----------
    signals : Path
        The ``_eeg`` file.
    suffix : str
        E.g. "channels.tsv".
    """
    parts = [part for part in signals.stem.split("_") if "-" in part]
    names = [
        "_".join((*chosen, suffix)) for n in range(len(parts), -1, -1) for chosen in itertools.combinations(parts, n)
    ]
    paths = (folder / name for folder in signals.absolute().parents[:LEVELS] for name in names)
    return next((path for path in paths if path.is_file()), None)


class BidsFile:
    """A recording whose bad channels are left out, and whose kinds and units are stated.

    Raises
    ------
    RecordingError
        If the signals cannot be opened, or ``channels.tsv`` has no column name.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.file: SignalFile = open_recording_file(path)
        self.warnings: list[str] = list(self.file.warnings)
        table = beside(self.path, "channels.tsv")
        self._rows = _rows(table) if table else {}
        self.bad = [label for label in self.file.labels if self._rows.get(label, {}).get("status", "").lower() == "bad"]
        absent = [name for name in self._rows if name not in self.file.labels]
        if table is None:
            self.warnings.append("no channels.tsv: kinds and units are those of the file")
        if self.bad:
            self.warnings.append(f"bad by channels.tsv, left out: {', '.join(self.bad)}")
        if absent:
            self.warnings.append(f"in channels.tsv but not in the file: {', '.join(absent)}")

    @property
    def labels(self) -> Sequence[str]:
        """Channel names in file order, without the bad ones."""
        return [label for label in self.file.labels if label not in self.bad]

    @property
    def types(self) -> dict[str, str]:
        """The stated kind of each channel that has one of ours."""
        kinds = {label: TYPES.get(self._rows.get(label, {}).get("type", "").upper(), "") for label in self.labels}
        return {label: kind for label, kind in kinds.items() if kind}

    @property
    def start(self) -> datetime | None:
        """Start of the first sample, if the file knows it."""
        return self.file.start

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self.file.duration_s

    @property
    def gaps_s(self) -> Sequence[tuple[float, float]]:
        """Stretches (start_s, end_s) in which nothing was recorded."""
        return self.file.gaps_s

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate, Hz."""
        return self.file.rate_hz(label)

    def unit(self, label: str) -> str:
        """Return "uV" for potentials, else the unit of the file, or of ``channels.tsv`` where that has none."""
        stated = self._stated(label)
        return stated if uv_factor(stated) is None else "uV"

    def expect(self, labels: Sequence[str], run: Map = map) -> None:
        """Tell the signal file which signals will be asked for."""
        expect(self.file, labels, run)

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`."""
        x = self.file.read(label)
        factor = self._factor(label)
        return x if factor == 1 else x * x.dtype.type(factor)

    def samples(self, label: str) -> Samples:
        """Return a signal as the file holds it."""
        found, factor = self.file.samples(label), self._factor(label)
        return replace(found, gain=found.gain * factor, offset=found.offset * factor)

    def annotations(self) -> list[StageRun]:
        """Return the marks that the signal file itself holds."""
        marks: list[StageRun] = self.file.annotations()  # type: ignore[attr-defined]
        return marks

    def _factor(self, label: str) -> float:
        """Return what brings the file's values to the unit that only ``channels.tsv`` states."""
        factor = None if self.file.unit(label) else uv_factor(self._stated(label))
        return 1.0 if factor is None else factor

    def _stated(self, label: str) -> str:
        unit = self.file.unit(label) or self._rows.get(label, {}).get("units", "")
        return "" if unit.lower() == "n/a" else unit


def _rows(table: Path) -> dict[str, dict[str, str]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        rows = [
            {k.strip(): (v or "").strip() for k, v in row.items() if k}
            for row in csv.DictReader(text.splitlines(), delimiter="\t")
        ]
    except PARSER_ERRORS as error:
        raise RecordingError(f"cannot be read ({cause(error)})", path=table) from error
    if rows and "name" not in rows[0]:
        raise RecordingError(f"no column name; it has {', '.join(rows[0])}", path=table)
    return {row["name"]: row for row in rows}

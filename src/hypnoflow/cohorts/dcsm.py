"""Danish Center for Sleep Medicine: 255 nights of patients of a sleep clinic, staging only.

On disk: <tpUUID>/{psg.h5,psg.edf,hypnogram.ids}; the HDF5 is read, the EDF where it is missing
Quirks : everything already derived, both EOGs against M2; long wake at either end; nothing is published about a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.tables import files_below
from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations.ids import read_ids
from hypnoflow.native.dcsm import DcsmFile
from hypnoflow.native.edf import EdfFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W


def discover(root: Path) -> list[Found]:
    """Take every folder tp… that holds signals."""
    found = []
    for folder in sorted({path.parent for path in files_below(root, "psg.*") if path.suffix in (".h5", ".edf")}):
        signals = next(path for name in ("psg.h5", "psg.edf") if (path := folder / name).exists())
        ids = folder / "hypnogram.ids"
        found.append(
            Found(
                recording=folder.name,
                person=folder.name,
                signal_path=str(signals.relative_to(root)),
                annotation_paths=(str(ids.relative_to(root)),) if ids.exists() else (),
            )
        )
    return found


def open_signals(path: Path) -> SignalFile:
    """Open the HDF5, or the EDF."""
    return EdfFile(path) if path.suffix == ".edf" else DcsmFile(path)


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read ``hypnogram.ids``."""
    if not paths:
        raise RecordingError("no hypnogram.ids beside the signals", path=signals.path)
    return Annotations({"expert": read_ids(paths[0])})


COHORT = Cohort(
    name="dcsm",
    channels=(
        *(ChannelRule(x, "eeg", (x,)) for x in ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1")),
        *(ChannelRule(x, "eog", (x,)) for x in ("E1-M2", "E2-M2")),
        ChannelRule("Chin", "emg", ("CHIN",)),
        ChannelRule("ECG", "ecg", ("ECG-II",)),
        ChannelRule("Nasal", "resp", ("NASAL",)),
        ChannelRule("Thorax", "resp", ("THORAX",)),
        ChannelRule("Abdomen", "resp", ("ABDOMEN",)),
        ChannelRule("SpO2", "resp", ("SPO2",)),
    ),
    stages={"W": W, "N1": N1, "N2": N2, "N3": N3, "REM": R, "UNKNOWN": UNSCORED},
    alignment=Alignment(overrun_s=60, short_s=3600),
    discover=discover,
    open_signals=open_signals,
    read_annotations=read_annotations,
)

"""What the two Dreem Open Datasets share: HDF5 files, five scorers' JSON lists, no facts about persons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.tables import files_below
from hypnoflow.native.annotations.per_epoch import epoch_runs, read_json_epochs
from hypnoflow.native.dod import DodFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W


def discover(root: Path) -> list[Found]:
    """Take every HDF5 file; its scorers are the JSON files of the same name."""
    scorers: dict[str, list[str]] = {}
    for path in files_below(root, "*.json"):
        if path.parent.name.startswith("scorer_"):
            scorers.setdefault(path.stem, []).append(str(path.relative_to(root)))
    return [
        Found(
            recording=h5.stem,
            person=h5.stem,
            signal_path=str(h5.relative_to(root)),
            annotation_paths=tuple(scorers.get(h5.stem, ())),
            problems=() if h5.stem in scorers else ("no scorers' files: the consensus in the HDF5 is used",),
        )
        for h5 in files_below(root, "*.h5")
    ]


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read one hypnogram per scorer, or the file's own consensus."""
    if paths:
        return Annotations({path.parent.name: read_json_epochs(path) for path in paths})
    return Annotations({"consensus in file": epoch_runs(DodFile(signals.path).hypnogram())})


def dod_cohort(name: str, eeg: Sequence[str]) -> Cohort:
    """Return one of the two; `eeg` are the file's labels."""
    return Cohort(
        name=name,
        channels=(
            *(ChannelRule(label.replace("FP", "Fp").replace("_", "-"), "eeg", (label,)) for label in eeg),
            ChannelRule("E1-M2", "eog", ("EOG1",)),
            ChannelRule("E2-M2", "eog", ("EOG2",)),
            ChannelRule("Chin", "emg", ("EMG",)),
            ChannelRule("ECG", "ecg", ("ECG",)),
        ),
        stages={"-1": UNSCORED, "0": W, "1": N1, "2": N2, "3": N3, "4": R},
        alignment=Alignment(overrun_s=60, short_s=60),
        discover=discover,
        open_signals=DodFile,
        read_annotations=read_annotations,
    )

"""What subsets 1 and 3 of the Montreal Archive of Sleep Studies share: EDF triples whose stages begin late."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.tables import files_below, number, read_csv_rows, read_sheet_rows
from hypnoflow.errors import CohortError, RecordingError
from hypnoflow.native.annotations.mass import read_mass_events
from hypnoflow.native.edf import EdfFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W

SEX = {"M": "male", "F": "female"}
PSG = " PSG.edf"


def discover(prefix: str, root: Path) -> list[Found]:
    """Take every ``01-SS-NNNN PSG.edf``; its annotations have the same number."""
    people = _people(root)
    found = []
    beside = {path.name: path for path in files_below(root, f"{prefix}-*.edf")}
    for psg in (path for name, path in sorted(beside.items()) if name.endswith(PSG)):
        name = psg.name.removesuffix(PSG)
        paths = [beside[f"{name} {part}.edf"] for part in ("Base", "Annotations") if f"{name} {part}.edf" in beside]
        row = people.get(name, {})
        found.append(
            Found(
                recording=name,
                person=name,
                signal_path=str(psg.relative_to(root)),
                annotation_paths=tuple(str(path.relative_to(root)) for path in paths),
                age_y=number(_column(row, "age")),
                sex=SEX.get(str(_column(row, "sex", "gender")).strip().upper()[:1]),
                source_columns=row,
                problems=() if row else ("no row in a descriptor table: kept for staging, absent from predict",),
            )
        )
    return found


def _people(root: Path) -> dict[str, dict[str, object]]:
    """Return {recording: row} of every descriptor sheet; its name and columns are not documented, so any will do."""
    people: dict[str, dict[str, object]] = {}
    for path in files_below(root, "*escriptor*"):
        try:
            rows: Sequence[dict[str, object]] = (
                [dict(row) for row in read_csv_rows(path, ())]
                if path.suffix.lower() == ".csv"
                else read_sheet_rows(path, ("ID",))
            )
        except CohortError:
            continue  # a description in another form, not a table
        for row in rows:
            people[str(_column(row, "id", "subject")).strip()] = row
    return people


def _column(row: dict[str, object], *beginnings: str) -> object:
    """Return the cell under the first column whose name begins with one of `beginnings`, None without one."""
    return next((value for name, value in row.items() if name.lower().startswith(beginnings)), None)


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read stages from Base.edf and events from Annotations.edf."""
    base = next((path for path in paths if path.name.endswith("Base.edf")), None)
    if base is None:
        raise RecordingError("no Base.edf of the same number", path=signals.path)
    marks = [run for run in EdfFile(base).annotations() if re.match(r"Sleep stage", run.label)]
    more = next((path for path in paths if path.name.endswith("Annotations.edf")), None)
    events, warnings = read_mass_events(more) if more else ((), ())
    return Annotations({"expert": marks}, events, warnings)


def mass_cohort(name: str, prefix: str, electrodes: Sequence[str], references: Sequence[str]) -> Cohort:
    """Return a subset; every electrode comes against one of `references`, fixed within a recording."""
    eeg = [f"{electrode}-{reference}" for electrode in electrodes for reference in references]
    return Cohort(
        name=name,
        channels=(
            *(ChannelRule(label, "eeg", (f"EEG {label}",)) for label in eeg),
            ChannelRule("E1", "eog", ("EOG Left Horiz",)),
            ChannelRule("E2", "eog", ("EOG Right Horiz",)),
            ChannelRule("Chin", "emg", ("EMG Chin1", "EMG Chin2", "EMG Chin3", "EMG Chin")),
            ChannelRule("ECG", "ecg", ("ECG ECGI",)),
            ChannelRule("Airflow", "resp", ("Resp Thermistor",)),
            ChannelRule("Nasal", "resp", ("Resp Cannula",)),
            ChannelRule("Thorax", "resp", ("Resp Belt Thor",)),
            ChannelRule("Abdomen", "resp", ("Resp Belt Abdo",)),
            ChannelRule("SpO2", "resp", ("SaO2 SaO2",)),
        ),
        stages={
            "Sleep stage W": W, "Sleep stage 1": N1, "Sleep stage 2": N2, "Sleep stage 3": N3, "Sleep stage 4": N3,
            "Sleep stage R": R, "Sleep stage ?": UNSCORED,
        },
        # Pages are 30.002 s long, two seconds more in a night than whole epochs.
        alignment=Alignment(overrun_s=30, short_s=600, starts="first mark"),
        discover=partial(discover, prefix),
        open_signals=EdfFile,
        read_annotations=read_annotations,
    )  # fmt: skip

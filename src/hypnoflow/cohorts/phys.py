"""PhysioNet/CinC Challenge 2018: 994 labelled nights of 994 patients of one sleep laboratory.

On disk: training/trGG-NNNN/trGG-NNNN.{hea,mat,arousal} + age-sex.csv
Quirks : a stage mark holds until the next, and the first can lie minutes into the record (unscored until then;
         never shift by it); only one EOG; no AHI is given, so it is counted from the marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.tables import files_below, newest, number, read_csv_rows
from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations.challenge2018 import read_challenge2018
from hypnoflow.native.wfdb import WfdbFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W

SEX = {"F": "female", "M": "male"}
STAGES = {"W": W, "N1": N1, "N2": N2, "N3": N3, "R": R, "U": UNSCORED}


def discover(root: Path) -> list[Found]:
    """Take every header that has signals; AHI is derived from the annotations."""
    table = newest(root, "age-sex.csv")
    people = {row["Record"]: row for row in read_csv_rows(table, ("Record",))} if table else {}
    found = []
    for header in files_below(root, "tr*.hea"):
        arousal = header.with_suffix(".arousal")
        row = people.get(header.stem)
        problems = [] if row else ["no row in age-sex.csv: kept for staging, absent from predict"]
        ahi = None
        if arousal.exists():
            try:
                ahi = _ahi_per_h(header, arousal)
            except RecordingError as error:
                problems.append(f"no AHI: {error.what}")
        row = row or {}
        found.append(
            Found(
                recording=header.stem,
                person=header.stem,
                signal_path=str(header.relative_to(root)),
                annotation_paths=(str(arousal.relative_to(root)),) if arousal.exists() else (),
                age_y=number(row.get("Age")),
                sex=SEX.get(row.get("Sex", "").upper()),
                ahi_per_h=ahi,
                source_columns={**row, "ahi_per_h": "apneas and hypopneas in .arousal per hour of sleep"},
                problems=tuple(problems),
            )
        )
    return found


def _ahi_per_h(header: Path, arousal: Path) -> float | None:
    """Return marked apneas and hypopneas per hour scored as sleep; None where nothing is."""
    signals = WfdbFile(header)
    marks = read_challenge2018(arousal, signals.rate_hz(signals.labels[0]), signals.duration_s)
    asleep_s = sum(run.duration_s for run in marks.scorers["expert"] if STAGES.get(run.label, W) in (N1, N2, N3, R))
    events = sum(event.kind.startswith("apnea") or event.kind == "hypopnea" for event in marks.events)
    return events / (asleep_s / 3600) if asleep_s else None


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read the ``.arousal`` file."""
    if not paths:
        raise RecordingError("no .arousal file beside the header", path=signals.path)
    return read_challenge2018(paths[0], signals.rate_hz(signals.labels[0]), signals.duration_s)


COHORT = Cohort(
    name="phys",
    channels=(
        *(ChannelRule(x, "eeg", (x,)) for x in ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1")),
        ChannelRule("E1-M2", "eog", ("E1-M2",)),
        ChannelRule("Chin", "emg", ("Chin1-Chin2",)),
        ChannelRule("ECG", "ecg", ("ECG",)),
        ChannelRule("Airflow", "resp", ("AIRFLOW",)),
        ChannelRule("Thorax", "resp", ("CHEST",)),
        ChannelRule("Abdomen", "resp", ("ABD",)),
        ChannelRule("SpO2", "resp", ("SaO2",)),
    ),
    stages=STAGES,
    # The last stage holds to the end of the record, which need not be a whole epoch.
    alignment=Alignment(overrun_s=0, short_s=0),
    discover=discover,
    open_signals=WfdbFile,
    read_annotations=read_annotations,
)

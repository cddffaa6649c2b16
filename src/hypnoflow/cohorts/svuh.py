"""St Vincent's University Hospital / UCD Sleep Apnea Database: 25 nights of 25 adults with suspected apnea.

On disk: ucddbNNN.rec + ucddbNNN_stage.txt + ucddbNNN_respevt.txt + SubjectDetails.xls
Quirks : .rec is EDF; stages are coded 0 W, 1 REM, 2 to 5 S1 to S4, 8 is not documented; events by clock time, which
         wraps at midnight; no list of arousals; the Holter files (_lifecard.edf) are not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.tables import files_below, newest, number, read_sheet_rows
from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations.isruc import read_epochs
from hypnoflow.native.annotations.ucddb import read_respiratory
from hypnoflow.native.edf import EdfFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W

SEX = {"M": "male", "F": "female"}


def discover(root: Path) -> list[Found]:
    """Take every ``ucddbNNN.rec``."""
    table = newest(root, "SubjectDetails.xls")
    rows = read_sheet_rows(table, ("Study Number", "Age", "Gender", "PSG AHI", "BMI")) if table else []
    people = {str(row["Study Number"]).strip().lower(): row for row in rows}
    found = []
    for rec in files_below(root, "ucddb*.rec"):
        row = people.get(rec.stem.lower(), {})
        paths = [rec.with_name(f"{rec.stem}_{part}.txt") for part in ("stage", "respevt")]
        found.append(
            Found(
                recording=rec.stem,
                person=rec.stem,
                signal_path=str(rec.relative_to(root)),
                annotation_paths=tuple(str(path.relative_to(root)) for path in paths if path.exists()),
                age_y=number(row.get("Age")),
                sex=SEX.get(str(row.get("Gender")).strip().upper()),
                ahi_per_h=number(row.get("PSG AHI")),
                bmi=number(row.get("BMI")),
                source_columns={k: v for k, v in row.items() if k},
                problems=() if row else ("no row in SubjectDetails.xls: kept for staging, absent from predict",),
            )
        )
    return found


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read stages and, where the file is there, respiratory events."""
    stages = next((path for path in paths if path.name.endswith("_stage.txt")), None)
    if stages is None:
        raise RecordingError("no _stage.txt beside the recording", path=signals.path)
    respiratory = next((path for path in paths if path.name.endswith("_respevt.txt")), None)
    events = read_respiratory(respiratory, signals.start) if respiratory else ()
    return Annotations({"expert": read_epochs(stages)}, events)


COHORT = Cohort(
    name="svuh",
    channels=(
        ChannelRule("C3-M2", "eeg", ("C3A2",)),
        ChannelRule("C4-M1", "eeg", ("C4A1",)),
        ChannelRule("E1", "eog", ("Lefteye",)),
        ChannelRule("E2", "eog", ("RightEye",)),
        ChannelRule("Chin", "emg", ("EMG",)),
        ChannelRule("ECG", "ecg", ("ECG",)),
        ChannelRule("Airflow", "resp", ("Flow",)),
        ChannelRule("Thorax", "resp", ("ribcage",)),
        ChannelRule("Abdomen", "resp", ("abdo",)),
        ChannelRule("SpO2", "resp", ("SpO2",)),
    ),
    stages={"0": W, "1": R, "2": N1, "3": N2, "4": N3, "5": N3, "6": UNSCORED, "7": UNSCORED, "8": UNSCORED},
    alignment=Alignment(overrun_s=60, short_s=600),
    discover=discover,
    open_signals=EdfFile,
    read_annotations=read_annotations,
)

"""What the three subgroups of ISRUC-Sleep share: EDF called .rec, two experts, one workbook of events per expert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.channels import EYES, SIX_EEG
from hypnoflow.cohorts.layouts.tables import files_below, newest, number, read_sheet, read_sheet_rows
from hypnoflow.errors import CohortError, RecordingError
from hypnoflow.native.annotations.isruc import events_of_rows, read_epochs
from hypnoflow.native.edf import EdfFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W

SEX = {"M": "male", "F": "female"}
EXPERTS = (1, 2)


def discover(table: str, name_of: Callable[[Path], tuple[str, str, str]], root: Path) -> list[Found]:
    """Take every ``.rec``; `name_of` gives recording, person and visit of its path."""
    people = _people(root, table)
    found = []
    for rec in files_below(root, "*.rec"):
        recording, person, visit = name_of(rec)
        row = people.get(person, {})
        paths = [rec.with_name(f"{rec.stem}_{k}{suffix}") for suffix in (".txt", ".xlsx") for k in EXPERTS]
        found.append(
            Found(
                recording=recording,
                person=person,
                visit=visit,
                signal_path=str(rec.relative_to(root)),
                annotation_paths=tuple(str(path.relative_to(root)) for path in paths if path.exists()),
                age_y=number(row.get("Age")),
                sex=SEX.get(str(row.get("Sex")).strip().upper()),
                source_columns={k: v for k, v in row.items() if k},
                problems=() if row else (f"no row in {table}: kept for staging, absent from predict",),
            )
        )
    return found


def _people(root: Path, table: str) -> dict[str, dict[str, object]]:
    """Return {person: row}; of two recordings ("1_Rec.1", "1_Rec.2") the first carries the person's facts."""
    path = newest(root, table)
    people: dict[str, dict[str, object]] = {}
    for row in read_sheet_rows(path, ("Subject", "Age", "Sex")) if path else []:
        person = str(row["Subject"]).strip().partition("_Rec")[0].removesuffix(".0")
        if person not in people and row["Subject"] is not None:
            people[person] = row
    return people


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read both experts' stages, and the first expert's events, which are known to the epoch only."""
    texts = [path for path in paths if path.suffix == ".txt"]
    if not texts:
        raise RecordingError("no hypnogram (_1.txt) beside the recording", path=signals.path)
    scorers = {f"expert {path.stem.rpartition('_')[2]}": read_epochs(path) for path in texts}
    books = [path for path in paths if path.suffix == ".xlsx"]
    try:
        events = events_of_rows(read_sheet(books[0])) if books else ()
    except CohortError as error:
        return Annotations(scorers, (), (f"events left out: {error}",))
    return Annotations(scorers, events)


def isruc_cohort(name: str, table: str, name_of: Callable[[Path], tuple[str, str, str]]) -> Cohort:
    """Return one subgroup."""
    return Cohort(
        name=name,
        channels=(
            *SIX_EEG,
            *EYES,
            ChannelRule("Chin", "emg", ("X1", "24")),
            ChannelRule("ECG", "ecg", ("X2",)),
            ChannelRule("Airflow", "resp", ("X6",)),
            ChannelRule("Thorax", "resp", ("X7",)),
            ChannelRule("Abdomen", "resp", ("X8",)),
            ChannelRule("SpO2", "resp", ("SaO2", "SpO2")),
        ),
        stages={"0": W, "1": N1, "2": N2, "3": N3, "5": R, "U": UNSCORED},
        alignment=Alignment(overrun_s=30, short_s=1800),
        discover=partial(discover, table, name_of),
        open_signals=EdfFile,
        read_annotations=read_annotations,
        consensus="first",
    )

"""Sleep-EDF Expanded, telemetry: 44 nights of 22 people with mild trouble falling asleep, placebo and temazepam.

On disk: sleep-telemetry/ST7ssNJ0-PSG.edf + ST7ssNJX-Hypnogram.edf (ss person, N night; pair by the first six
characters) + ST-subjects.xls
Quirks : the hypnogram begins after the signals and leaves blanks, which stay unscored; EMG at 100 Hz; two lines of
         column names; sex is coded 1 = male, 2 = female (the cassette part is the other way round).
"""

from __future__ import annotations

import re
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.sedf import STAGES, Person, pairs, read_annotations
from hypnoflow.cohorts.layouts.tables import newest, number, read_sheet
from hypnoflow.errors import CohortError
from hypnoflow.native.edf import EdfFile

SEX = {1.0: "male", 2.0: "female"}


def discover(root: Path) -> list[Found]:
    """Pair each PSG with its hypnogram, wherever below `root` they lie."""
    table = newest(root, "ST-subjects.xls")
    return pairs(root, "ST7", _people(table) if table else {}, "ST-subjects.xls")


def _people(table: Path) -> dict[tuple[float | None, float | None], Person]:
    """Return {(person, night): person's facts}; the second line of names says which column is what."""
    cells = read_sheet(table)
    header = next((i for i, line in enumerate(cells) if any(_is(cell, r"age") for cell in line)), None)
    if header is None:
        raise CohortError(f"{table}: no line names a column Age")
    names = [str(cell).strip() for cell in cells[header]]
    who = _column(table, names, r"(nr|subject.*)")
    age, sex = _column(table, names, r"age"), _column(table, names, r"(m1.*|sex.*)")
    people: dict[tuple[float | None, float | None], Person] = {}
    for line in cells[header + 1 :]:
        columns = {f"{name or 'column'} {i}": cell for i, (name, cell) in enumerate(zip(names, line, strict=False))}
        for night in (1.0, 2.0):
            people[number(line[who]), night] = (number(line[age]), SEX.get(number(line[sex]) or 0), columns)
    return people


def _is(cell: object, pattern: str) -> bool:
    return re.fullmatch(pattern, str(cell).strip().lower()) is not None


def _column(table: Path, names: list[str], pattern: str) -> int:
    for i, name in enumerate(names):
        if _is(name, pattern):
            return i
    raise CohortError(f"{table}: no column like {pattern!r} among {', '.join(names)}")


COHORT = Cohort(
    name="sedf-st",
    channels=(
        ChannelRule("Fpz-Cz", "eeg", ("EEG Fpz-Cz",)),
        ChannelRule("Pz-Oz", "eeg", ("EEG Pz-Oz",)),
        ChannelRule("EOG", "eog", ("EOG horizontal",)),
        ChannelRule("Chin", "emg", ("EMG submental",)),
    ),
    stages=STAGES,
    alignment=Alignment(overrun_s=30, short_s=2 * 3600, ignored=("Sleep stage ?",)),
    discover=discover,
    open_signals=EdfFile,
    read_annotations=read_annotations,
)

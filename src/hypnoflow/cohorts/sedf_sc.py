"""Sleep-EDF Expanded, cassette: 153 nights of 78 healthy people of 25 to 101 years, at home.

On disk: sleep-cassette/SC4ssNE0-PSG.edf + SC4ssNEX-Hypnogram.edf (ss person, N night; pair by the first six
characters) + SC-subjects.xls
Quirks : EEG already bipolar; EMG and respiration at 1 Hz; the last "Sleep stage ?" outlasts the signals; SC4362F0 has
         60-s data records and a hypnogram that goes on for four hours; sex is coded 1 = female, 2 = male (the telemetry
         part is the other way round).
"""

from __future__ import annotations

from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.sedf import STAGES, Person, pairs, read_annotations
from hypnoflow.cohorts.layouts.tables import newest, number, read_sheet_rows
from hypnoflow.native.edf import EdfFile

SEX = {1.0: "female", 2.0: "male"}


def discover(root: Path) -> list[Found]:
    """Pair each PSG with its hypnogram, wherever below `root` they lie."""
    table = newest(root, "SC-subjects.xls")
    people: dict[tuple[float | None, float | None], Person] = {}
    for row in read_sheet_rows(table, ("subject", "night", "age", "sex (F=1)")) if table else []:
        sex = SEX.get(number(row["sex (F=1)"]) or 0)
        people[number(row["subject"]), number(row["night"])] = (number(row["age"]), sex, row)
    return pairs(root, "SC4", people, "SC-subjects.xls")


COHORT = Cohort(
    name="sedf-sc",
    channels=(
        ChannelRule("Fpz-Cz", "eeg", ("EEG Fpz-Cz",)),
        ChannelRule("Pz-Oz", "eeg", ("EEG Pz-Oz",)),
        ChannelRule("EOG", "eog", ("EOG horizontal",)),
        ChannelRule("Chin", "emg", ("EMG submental",)),
        ChannelRule("Airflow", "resp", ("Resp oro-nasal",)),
    ),
    stages=STAGES,
    alignment=Alignment(overrun_s=30, short_s=15 * 3600, ignored=("Sleep stage ?",)),
    discover=discover,
    open_signals=EdfFile,
    read_annotations=read_annotations,
)

"""Sleep-EDF Expanded, cassette: 153 nights of 78 healthy people of 25 to 101 years, at home.

On disk: sleep-cassette/SC4ssNE0-PSG.edf + SC4ssNEX-Hypnogram.edf (ss person, N night; pair by the first six
characters) + SC-subjects.xls
Quirks : EEG already bipolar; EMG and respiration at 1 Hz; the last "Sleep stage ?" outlasts the signals;
         sex is coded 1 = female, 2 = male (the telemetry part is the other way round).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts._base import Alignment, Cohort, Found
from hypnoflow.cohorts._tables import number, read_xls_rows
from hypnoflow.errors import RecordingError
from hypnoflow.io.edf import EdfFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W

SEX = {1: "female", 2: "male"}


def discover(root: Path) -> list[Found]:
    """Pair each PSG with its hypnogram, wherever below `root` they lie."""
    table = next(iter(sorted(root.rglob("SC-subjects.xls"))), None)
    rows = read_xls_rows(table, ("subject", "night")) if table else []
    people = {(number(r["subject"]), number(r["night"])): r for r in rows}
    hypnograms = {path.name[:6]: path for path in sorted(root.rglob("SC4*-Hypnogram.edf"))}
    found = []
    for psg in sorted(root.rglob("SC4*-PSG.edf")):
        name = psg.name[:6]
        hypnogram = hypnograms.get(name)
        row = people.get((number(name[3:5]), number(name[5])), {})
        age, sex = number(row.get("age", "")), number(row.get("sex (F=1)", ""))
        found.append(
            Found(
                recording=name,
                person=name[:5],
                visit=name[5],
                signal_path=str(psg.relative_to(root)),
                annotation_paths=(str(hypnogram.relative_to(root)),) if hypnogram else (),
                age_y=age,
                sex=SEX.get(int(sex)) if sex is not None else None,
                source_columns=row,
                problems=() if row else ("no row in SC-subjects.xls: kept for staging, absent from predict",),
            )
        )
    return found


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read the EDF+ hypnogram."""
    if not paths:
        raise RecordingError("no hypnogram of the same name", path=signals.path)
    return Annotations({"expert": EdfFile(paths[0]).annotations()})


COHORT = Cohort(
    name="sedf-sc",
    channels=(
        ChannelRule("Fpz-Cz", "eeg", ("EEG Fpz-Cz",)),
        ChannelRule("Pz-Oz", "eeg", ("EEG Pz-Oz",)),
        ChannelRule("EOG", "eog", ("EOG horizontal",)),
        ChannelRule("Chin", "emg", ("EMG submental",)),
        ChannelRule("Airflow", "resp", ("Resp oro-nasal",)),
    ),
    stages={
        "Sleep stage W": W, "Sleep stage 1": N1, "Sleep stage 2": N2, "Sleep stage 3": N3, "Sleep stage 4": N3,
        "Sleep stage R": R, "Sleep stage ?": UNSCORED, "Movement time": UNSCORED,
    },
    alignment=Alignment(overrun_s=0, short_s=6 * 3600, ignored=("Sleep stage ?",)),
    discover=discover,
    open_signals=EdfFile,
    read_annotations=read_annotations,
)  # fmt: skip

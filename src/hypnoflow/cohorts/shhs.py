"""Sleep Heart Health Study (NSRR): 8444 home nights of 5797 adults of 40 years and over, one or two visits.

On disk: polysomnography/edfs/shhsV/shhsV-NNNNNN.edf + polysomnography/annotations-events-nsrr/shhsV/
         shhsV-NNNNNN-nsrr.xml + datasets/shhs-harmonized-dataset-*.csv (V visit)
Quirks : EEG already bipolar, never subtract; five spellings of the second EEG and seven of the flow; EOG slower
         than EEG; staging may stop before the recording; studies scored sleep/wake only are no truth for stages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts._base import Alignment, Cohort, Found
from hypnoflow.cohorts._tables import number, read_csv_rows
from hypnoflow.errors import RecordingError
from hypnoflow.io.annotations.nsrr_xml import read_nsrr_xml
from hypnoflow.io.edf import EdfFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W

NAME = re.compile(r"shhs(?P<visit>\d)-(?P<person>\d+)$")


def discover(root: Path) -> list[Found]:
    """Take every EDF that has a number and a visit; studies scored sleep/wake only come without annotations."""
    tables = sorted(root.rglob("shhs-harmonized-dataset-*.csv"))
    rows = read_csv_rows(tables[-1], ("nsrrid", "visitnumber"), "cp1252") if tables else []
    people = {(row["nsrrid"], row["visitnumber"]): row for row in rows}
    xmls = {path.name.removesuffix("-nsrr.xml"): path for path in root.rglob("*-nsrr.xml")}
    return [
        _found(root, edf, match, people.get((match["person"], match["visit"])), xmls.get(edf.stem))
        for edf in sorted(root.rglob("shhs*.edf"))
        if (match := NAME.match(edf.stem))
    ]


def _found(root: Path, edf: Path, name: re.Match[str], row: dict[str, str] | None, xml: Path | None) -> Found:
    problems = [] if row else ["no row in the harmonized data set: kept for staging, absent from predict"]
    row = row or {}
    if row.get("nsrr_flag_spsw") == "sleep/wake only":
        problems.append("scored sleep/wake only: its labels are no truth for stages and are left out")
        xml = None
    return Found(
        recording=edf.stem,
        person=name["person"],
        visit=name["visit"],
        signal_path=str(edf.relative_to(root)),
        annotation_paths=(str(xml.relative_to(root)),) if xml else (),
        age_y=number(row.get("nsrr_age")),
        sex=row.get("nsrr_sex") if row.get("nsrr_sex") in ("female", "male") else None,
        ahi_per_h=number(row.get("nsrr_ahi_hp3r_aasm15")),
        bmi=number(row.get("nsrr_bmi")),
        source_columns={k: v for k, v in row.items() if k.startswith("nsrr")},
        problems=tuple(problems),
    )


def read_annotations(paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read the NSRR XML."""
    if not paths:
        raise RecordingError("no NSRR XML that can serve as truth for stages", path=signals.path)
    return read_nsrr_xml(paths[0])


COHORT = Cohort(
    name="shhs",
    channels=(
        ChannelRule("C4-M1", "eeg", ("EEG",)),
        ChannelRule("C3-M2", "eeg", ("EEG(sec)", "EEG(SEC)", "EEG 2", "EEG2", "EEG sec")),
        ChannelRule("E1-PG1", "eog", ("EOG(L)",)),
        ChannelRule("E2-PG1", "eog", ("EOG(R)",)),
        ChannelRule("Chin", "emg", ("EMG",)),
        ChannelRule("ECG", "ecg", ("ECG",)),
        ChannelRule("Airflow", "resp", ("NEW AIR", "AIRFLOW", "NEWAIR", "New A/F", "AUX")),
        ChannelRule("Thorax", "resp", ("THOR RES",)),
        ChannelRule("Abdomen", "resp", ("ABDO RES",)),
        ChannelRule("SpO2", "resp", ("SaO2",)),
    ),
    stages={
        "Wake|0": W, "Stage 1 sleep|1": N1, "Stage 2 sleep|2": N2, "Stage 3 sleep|3": N3, "Stage 4 sleep|4": N3,
        "REM sleep|5": R, "Movement|6": UNSCORED, "Unscored|9": UNSCORED, "Artifact|10": UNSCORED,
    },
    alignment=Alignment(overrun_s=30, short_s=3600),
    discover=discover,
    open_signals=EdfFile,
    read_annotations=read_annotations,
)  # fmt: skip

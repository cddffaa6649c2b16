"""What the nine cohorts of the National Sleep Research Resource share: layout, XML, harmonized tables, stage names.

On disk: <slug>/polysomnography/edfs/**/<stem>.edf + annotations-events-nsrr/**/<stem>-nsrr.xml
         + <slug>/datasets/*harmonized*.csv; everything is found wherever it lies below the root.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.base import Alignment, Cohort, Found
from hypnoflow.cohorts.layouts.tables import files_below, newest, number, read_csv_rows
from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations.nsrr_xml import read_nsrr_xml
from hypnoflow.native.edf import EdfFile
from hypnoflow.types import N1, N2, N3, UNSCORED, Annotations, R, SignalFile, W

STAGES = {
    "Wake|0": W, "Stage 1 sleep|1": N1, "Stage 2 sleep|2": N2, "Stage 3 sleep|3": N3, "Stage 4 sleep|4": N3,
    "REM sleep|5": R, "Movement|6": UNSCORED, "Unscored|9": UNSCORED, "Artifact|10": UNSCORED,
}  # fmt: skip
SEXES = ("female", "male")
LIFELONG = ("nsrr_sex",)  # what a visit without a row of its own may take from another visit's


@dataclass(frozen=True, slots=True)
class OtherTable:
    """A table of one visit, of persons whom the harmonized data set lacks, with columns and codes of its own.

    Its AHI is not taken: it is not defined as the harmonized one is.
    """

    pattern: str
    age: str
    sex: str
    sexes: Mapping[str, str]  # code of sex → "female" or "male"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a cohort names its files and its table.

    stem : str
        Regular expression of an EDF's stem, with the groups person and, where there are any, visit and family.
    tables : tuple of str
        Patterns of CSV files; of several versions the last counts.
    person, visit : str
        Columns that identify a row; `visit` is empty where a table holds one visit only.
    visits : mapping
        File's visit → the table's words for it; "" where a table without visits means this one.
    other : OtherTable, optional
        Where persons stand that the harmonized data set lacks.
    families : tuple of str
        Pattern and column of the table that gives a person's family, where the file's name does not.
    """

    stem: str
    tables: tuple[str, ...]
    person: str = "nsrrid"
    visit: str = ""
    visits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    other: OtherTable | None = None
    families: tuple[str, str] | None = None
    ahi: str = "nsrr_ahi_hp3r_aasm15"


def discover(layout: Layout, root: Path) -> list[Found]:
    """Take every EDF whose name fits; each finds its XML by stem and its row by person and visit."""
    rows, families = _rows(layout, root), _families(layout, root)
    xmls = {path.name.removesuffix("-nsrr.xml"): path for path in files_below(root, "*-nsrr.xml")}
    named = ((edf, re.fullmatch(layout.stem, edf.stem)) for edf in files_below(root, "*.edf"))
    found = [_found(layout, root, edf, name, rows, xmls.get(edf.stem)) for edf, name in named if name]
    return [f if f.group or not layout.families else _with_family(f, families) for f in found]


def _families(layout: Layout, root: Path) -> dict[str, str]:
    """Return {person: family}; empty where the cohort has no families or the table is not there."""
    if layout.families is None:
        return {}
    pattern, column = layout.families
    table = newest(root, pattern)
    rows = read_csv_rows(table, (layout.person, column)) if table else []
    return {_key(row[layout.person]): f"family {row[column]}" for row in rows if row[column]}


def _with_family(found: Found, families: Mapping[str, str]) -> Found:
    family = families.get(_key(found.person), "")
    problems = () if family else ("no family is known: relatives may meet across splits",)
    return replace(found, group=family, problems=(*found.problems, *problems))


def _rows(layout: Layout, root: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return {(person, visit): row}; the visit is empty in tables of a single one."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for pattern in layout.tables:
        path = newest(root, pattern)
        needed = [column for column in (layout.person, layout.visit) if column]
        for row in read_csv_rows(path, needed) if path else []:
            rows.setdefault((_key(row[layout.person]), _key(row[layout.visit]) if layout.visit else ""), row)
    return rows | _other_rows(layout.person, layout.other, root)


def _other_rows(person: str, other: OtherTable | None, root: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return {(person, ""): row} with age and sex under their harmonized names, beside the columns of the table."""
    path = newest(root, other.pattern) if other else None
    if other is None or path is None:
        return {}
    return {
        (_key(row[person]), ""): row
        | {"nsrr_age": row[other.age], "nsrr_sex": other.sexes.get(_key(row[other.sex]), "not reported")}
        for row in read_csv_rows(path, (person, other.age, other.sex))
    }


def _key(text: str) -> str:
    """Return a number without leading zeros or decimals, other text in small letters, so that files and tables meet."""
    value = number(text)
    return text.lower() if value is None else f"{value:.0f}"


def _found(
    layout: Layout,
    root: Path,
    edf: Path,
    name: re.Match[str],
    rows: Mapping[tuple[str, str], dict[str, str]],
    xml: Path | None,
) -> Found:
    parts = name.groupdict()
    person, visit = parts["person"].lower(), parts.get("visit") or "1"
    row, problems = _row(rows, _key(person), layout.visits.get(visit, (visit if layout.visit else "",)))
    staged = row.get("nsrr_flag_spsw") != "sleep/wake only"
    if not staged:
        problems.append("scored sleep/wake only: its labels are no truth for stages and are left out")
    sex = row.get("nsrr_sex")
    return Found(
        recording=edf.stem,
        person=person,
        group=parts.get("family") or "",
        visit=visit,
        signal_path=str(edf.relative_to(root)),
        annotation_paths=(str(xml.relative_to(root)),) if xml else (),
        staged=staged,
        age_y=number(row.get("nsrr_age")),
        sex=sex if sex in SEXES else None,
        ahi_per_h=number(row.get(layout.ahi)),
        bmi=number(row.get("nsrr_bmi")),
        source_columns={k: v for k, v in row.items() if k.startswith("nsrr")},
        problems=tuple(problems),
    )


def _row(
    rows: Mapping[tuple[str, str], dict[str, str]], person: str, visits: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Return the row of a visit; without one, what does not change of the same person's other visits."""
    for visit in visits:
        if (person, visit) in rows:
            return rows[person, visit], []
    others = [rows[key] for key in sorted(key for key in rows if key[0] == person)]
    if not others:
        return {}, ["no row in the harmonized data set: kept for staging, absent from predict"]
    known = {name: others[0][name] for name in LIFELONG if name in others[0]}
    return known, ["no row of this visit in the harmonized data set: only sex is known"]


def read_annotations(unsure: str, paths: Sequence[Path], signals: SignalFile) -> Annotations:
    """Read the NSRR XML, whose "Unsure" means `unsure`."""
    if not paths:
        raise RecordingError("no NSRR XML of the same name", path=signals.path, hint="download annotations-events-nsrr")
    return read_nsrr_xml(paths[0], unsure)


def nsrr_cohort(name: str, layout: Layout, channels: Sequence[ChannelRule], unsure: str = "hypopnea") -> Cohort:
    """Return a cohort of this family; `unsure` is the kind of event that its "Unsure" means."""
    read: Callable[[Sequence[Path], SignalFile], Annotations] = partial(read_annotations, unsure)
    return Cohort(
        name=name,
        channels=channels,
        stages=STAGES,
        # Scoring begins with the signals and may stop hours before them: at lights on of a recorder that ran on, or
        # where the second half of a split night is not scored. A file that was cut off is no XML.
        alignment=Alignment(overrun_s=30, short_s=12 * 3600),
        discover=partial(discover, layout),
        open_signals=EdfFile,
        read_annotations=read,
    )

"""Any EEG-BIDS data set, without a line of code.

On disk: sub-*/[ses-*/]eeg/*_eeg.{edf,bdf,vhdr,set}, *_channels.tsv, participants.tsv; the stages in
         *_hypnogram.tsv (proposed for BIDS) or *_events.tsv
"""

from __future__ import annotations

from pathlib import Path

from hypnoflow.cohorts.layouts.base import Found
from hypnoflow.cohorts.layouts.folder import number_visits
from hypnoflow.cohorts.layouts.persons import Person, find_table, read_persons
from hypnoflow.native.bids import beside, entities

SUFFIXES = (".edf", ".bdf", ".vhdr", ".set")


def discover(root: Path, participants: str | None = None) -> list[Found]:
    """Return the recordings of a data set; a person is a ``sub``, a visit what ``ses`` and ``run`` say.

    Raises
    ------
    CohortError
        If the named table is missing or cannot be read.
    """
    table = find_table(root, participants)
    rows = read_persons(table).rows if table else ()
    persons = {p.person.removeprefix("sub-"): p for p in rows}
    paths = [path for path in sorted(root.glob("sub-*/**/*_eeg.*")) if path.suffix.lower() in SUFFIXES]
    return number_visits(_found(path, root, persons) for path in paths if path.parent.name == "eeg")


def _found(path: Path, root: Path, persons: dict[str, Person]) -> Found:
    parts = entities(path.stem)
    row = persons.get(parts.get("sub", ""))
    problems = row.problems if row else ("no row in participants.tsv: kept for staging, absent from predict",)
    stages = beside(path, "hypnogram.tsv") or beside(path, "events.tsv")
    return Found(
        recording=path.stem.removesuffix("_eeg"),
        person=f"sub-{parts.get('sub', path.stem)}",
        visit="_".join(f"{key}-{parts[key]}" for key in ("ses", "run") if key in parts),
        signal_path=str(path.relative_to(root)),
        annotation_paths=(str(stages.relative_to(root.absolute())),) if stages else (),
        age_y=row.age_y if row else None,
        sex=row.sex if row else None,
        ahi_per_h=row.ahi_per_h if row else None,
        bmi=row.bmi if row else None,
        source_columns=row.row if row else {},
        problems=tuple(problems),
    )

"""Stage `index`: a cohort's folder → its manifest, and what was odd on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from hypnoflow.cohorts import cohorts
from hypnoflow.cohorts._base import Found, facts
from hypnoflow.cohorts._fixes import Fix, fixes
from hypnoflow.errors import CohortError
from hypnoflow.io.manifest import COLUMNS


def index_cohort(name: str, root: Path, shard_size: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the manifest of the cohort in folder `root`, and problems worth a line in the report.

    Raises
    ------
    CohortError
        If the folder is missing or holds no recording of this cohort.
    """
    cohort = cohorts.get(name)
    if not root.is_dir():
        raise CohortError(f"{name}: no folder {root}; set science.cohorts.{name}.root, or null to simulate it")
    found = sorted(cohort.discover(root), key=lambda f: f.recording)
    if not found:
        url = facts(name)["url"]
        raise CohortError(f"{name}: no recording found in {root}; expected the layout of {url}")
    simulated = (root / "SIMULATED.json").exists()
    rows = [_row(name, f, i // shard_size, simulated) for i, f in enumerate(found)]
    manifest = pd.DataFrame(rows, columns=list(COLUMNS))
    problems = [f"{f.recording}: {problem}" for f in found for problem in f.problems]
    known = {f.recording for f in found}
    problems += [f"{fix.recording}: {fix.fix}: {fix.reason}" for fix in fixes(name) if fix.recording in known]
    return manifest, problems


def _corrections(row: dict[str, object], corrections: Sequence[Fix]) -> dict[str, object]:
    """Return what ``fixes.csv`` changes in a manifest row."""
    excluded = "; ".join(fix.reason for fix in corrections if fix.fix == "exclude")
    staged = bool(row["staged"]) and not any(fix.fix == "no_staging" for fix in corrections)
    return {"excluded": excluded, "staged": staged, "left_out": [f.value for f in corrections if f.fix == "leave_out"]}


def _row(cohort: str, found: Found, shard: int, simulated: bool) -> dict[str, object]:
    row = asdict(found)
    row.pop("problems")
    row["annotation_paths"] = list(found.annotation_paths)
    row["group"] = found.group or found.person
    row |= _corrections(row, [fix for fix in fixes(cohort) if fix.recording == found.recording])
    row["source_columns"] = json.dumps(found.source_columns, default=str)
    return {"cohort": cohort, "shard": f"{shard:03d}", "simulated": simulated, **row}

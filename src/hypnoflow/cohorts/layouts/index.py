"""Stage `index`: a cohort's folder → its manifest, and what was odd on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from hypnoflow.cohorts.layouts.base import Found, facts
from hypnoflow.cohorts.layouts.configured import resolve
from hypnoflow.cohorts.layouts.fixes import Fix, fixes
from hypnoflow.cohorts.layouts.shards import assign_shards
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.errors import CohortError, is_text, shown
from hypnoflow.native.signals import SUFFIXES
from hypnoflow.store.manifest import COLUMNS

NAMED = CohortConfig()
NO_TEXT = "the name of the file, or of its hypnogram, is not valid UTF-8: rename it"
LAYOUTS = {
    "folder": f"files of {', '.join(SUFFIXES)} at any depth",
    "bids": "sub-*/[ses-*/]eeg/*_eeg.edf, .bdf, .vhdr or .set",
}


def index_cohort(
    name: str, root: Path, shard_size: int, config: CohortConfig = NAMED
) -> tuple[pd.DataFrame, list[str]]:
    """Return the manifest of the cohort in folder `root`, and problems worth a line in the report.

    `config` is the cohort's section of the config.

    Raises
    ------
    CohortError
        If the folder is missing or holds no recording of this cohort.
    """
    cohort = resolve(name, config)
    if not root.is_dir():
        null = ", or null to simulate it" if config.kind == "named" else ""
        raise CohortError(f"{name}: no folder {root}; set science.cohorts.{name}.root{null}")
    found = cohort.discover(root)
    if not found:
        layout = LAYOUTS.get(config.kind) or f"the layout of {facts(name)['url']}"
        raise CohortError(f"{name}: no recording found in {root}; expected {layout}")
    odd = [f for f in found if not has_text_names(f)]
    manifest, problems = manifest_of(name, [f for f in found if f not in odd], root, shard_size)
    return manifest, problems + [f"{shown(f.signal_path)}: left out, {NO_TEXT}" for f in odd]


def has_text_names(found: Found) -> bool:
    """Return whether the names of a recording's files are valid text, which tables and stores can hold."""
    return all(map(is_text, (found.signal_path, *found.annotation_paths)))


def manifest_of(name: str, found: Sequence[Found], root: Path, shard_size: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the manifest of recordings that were found below `root`, and their problems."""
    found = sorted(found, key=lambda f: f.recording)
    simulated = (root / "SIMULATED.json").exists()
    shards = assign_shards([f.recording for f in found], shard_size)
    rows = [_row(name, f, shards[f.recording], simulated) for f in found]
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


def _row(cohort: str, found: Found, shard: str, simulated: bool) -> dict[str, object]:
    row = asdict(found)
    row.pop("problems")
    row["annotation_paths"] = list(found.annotation_paths)
    row["group"] = found.group or found.person
    row |= _corrections(row, [fix for fix in fixes(cohort) if fix.recording == found.recording])
    row["source_columns"] = json.dumps(found.source_columns, default=str)
    return {"cohort": cohort, "shard": shard, "simulated": simulated, **row}

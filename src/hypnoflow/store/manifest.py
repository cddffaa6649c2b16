"""Manifests: one row per recording, the only thing that the stages know about a cohort."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypedDict

import pandas as pd
import pyarrow.parquet as pq

from hypnoflow.errors import CohortError
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import fingerprint, replacing
from hypnoflow.facts.provenance import write_facts

COLUMNS = {
    "cohort": "string",
    "recording": "string",
    "person": "string",
    "group": "string",  # persons that must not meet across splits; the person where it stands alone
    "visit": "string",
    "shard": "string",
    "signal_path": "string",
    "annotation_paths": "object",
    "staged": "bool",  # False where the file's stages are no truth
    "excluded": "string",  # why the recording is not to be used; empty where it is
    "left_out": "object",  # standard channels that are not to be used
    "age_y": "float64",
    "sex": "string",
    "ahi_per_h": "float64",
    "bmi": "float64",
    "source_columns": "string",
    "simulated": "bool",
}
PERSON_FACTS = ("age_y", "sex", "ahi_per_h", "bmi", "source_columns")  # nothing of a harmonized store depends on them


def validate(manifest: pd.DataFrame, where: str) -> None:
    """Raise CohortError, naming the first offender, unless the manifest keeps its contract."""
    missing = [name for name in COLUMNS if name not in manifest]
    if missing:
        raise CohortError(f"{where}: the manifest lacks the columns {', '.join(missing)}")
    twice = manifest.loc[manifest["recording"].duplicated(), "recording"]
    if len(twice):
        raise CohortError(f"{where}: recording {twice.iloc[0]!r} occurs more than once")
    columns = (manifest[name] for name in ("recording", "signal_path", "annotation_paths"))
    for recording, signal_path, annotation_paths in zip(*columns, strict=True):
        _check_paths(where, recording, [signal_path, *annotation_paths])
    bad_sex = set(manifest["sex"].dropna()) - {"female", "male"}
    if bad_sex:
        raise CohortError(f"{where}: sex must be female, male or missing, found {sorted(bad_sex)}")
    age = manifest["age_y"].astype(float)
    bad_age = manifest[age.notna() & ~age.between(0, 120)]
    if len(bad_age):
        row = bad_age.iloc[0]
        raise CohortError(f"{where}: {row['recording']} has an age of {row['age_y']} years")


def _check_paths(where: str, recording: str, paths: Iterable[object]) -> None:
    """Refuse paths that could lead out of the cohort's root, which they are relative to.

    Links are not followed here: a cohort may well be a folder of links to where the files lie, and whoever can
    place a link below the root can as well place a file. The recording's name becomes a folder in the stores.
    """
    if not recording or recording.startswith(".") or re.search(r"[/\\\0]", recording):
        raise CohortError(f"{where}: recording {recording!r} cannot be the name of a folder")
    for path in paths:
        if not isinstance(path, str) or not path or _leaves_root(path):
            raise CohortError(
                f"{where}: {recording} has the path {path!r}; paths must be relative to the cohort's root, without '..'"
            )


def _leaves_root(path: str) -> bool:
    """Return whether a path is absolute or climbs, in either system's way of writing paths."""
    return any(bool(kind.anchor) or ".." in kind.parts for kind in (PurePosixPath(path), PureWindowsPath(path)))


def empty_manifest() -> pd.DataFrame:
    """Return a manifest without recordings, for a cohort that cannot be used."""
    return pd.DataFrame(columns=list(COLUMNS))


class About(TypedDict):
    """What is said of a cohort beside its rows.

    problem: why none of it can be used, empty if it can; problems: what was odd about recordings, "recording: what".
    """

    cohort: str
    root: str
    simulated: bool
    problem: str
    problems: list[str]


class Twin(About):
    """A manifest as JSON, to read."""

    recordings: list[dict[str, Any]]


def write_manifest(path: Path, manifest: pd.DataFrame, about: About, *, code: str | None = None) -> None:
    """Validate and write a manifest as Parquet; its JSON twin holds `about` and the same rows, to read.

    `code` is the hash of what made it, if not all that indexes.
    """
    validate(manifest, path.stem)
    typed = manifest[list(COLUMNS)].astype({name: kind for name, kind in COLUMNS.items() if kind != "object"})
    rows = json.loads(typed.to_json(orient="records"))
    with claim(path.with_suffix(".json"), [path]) as mine:
        with replacing(path) as partial:
            typed.to_parquet(partial, index=False)
        write_facts(mine.record, "index", {**about, "recordings": rows}, [path], code=code)


def shard_fingerprints(path: Path) -> dict[str, str]:
    """Return a fingerprint of what the rows of each shard say to `harmonize`; shards in order of name.

    Read without checks: the workflow does so whenever it plans, and what it reads was checked when written.
    """
    columns = [name for name in COLUMNS if name not in PERSON_FACTS]
    shards: dict[str, list[Any]] = {}
    for row in pq.read_table(path, columns=columns).to_pylist():
        shards.setdefault(row["shard"], []).append(row)
    return {shard: fingerprint(rows) for shard, rows in sorted(shards.items())}


def read_manifest(path: Path) -> pd.DataFrame:
    """Read and validate a manifest."""
    try:
        manifest = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise CohortError(f"cannot read the manifest {path}: {error}") from error
    validate(manifest, path.stem)
    return manifest

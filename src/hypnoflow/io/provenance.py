"""What a result is and was made with: files, versions, code, command, machine, cluster job; in every stage's JSON."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from hypnoflow.io.files import write_json
from hypnoflow.io.ours import described

PACKAGE = Path(__file__).parents[1]
RUNS = "logs/runs.jsonl"  # in the results: every start of the workflow, a line each
LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "zarr",
    "torch",
    "lightning",
    "scikit-learn",
    "statsmodels",
    "mne",
)
# Where each stage leaves its JSON in the results; the folder of logs mirrors it.
SIBLINGS = {
    "simulate": "simulate/*.json",
    "index": "index/*.json",
    "harmonize": "harmonized/*/*.json",
    "split": "split/*.json",
    "train": "train/*/*.json",
    "score": "score/*/*/*.json",
    "ablate": "evaluate/*/*/*.json",
    "evaluate": "evaluate/*.json",
    "features": "features/*.json",
    "predict": "predict/*/*.json",
    "report": "report/provenance.json",
}
# The modules behind each stage: editing one reruns the stage, and nothing before it.
BASE = ("types.py", "errors.py", "seeds.py")
MODULES = {
    "simulate": ["simulate"],
    "index": [
        *("cohorts", "io/manifest.py", "io/edf.py", "io/wfdb.py", "io/dod.py", "io/bids.py", "io/signals.py"),
        "io/annotations",
    ],
    "harmonize": ["harmonize", "cohorts", "channels", "io"],
    "split": [
        *("data/splits.py", "data/published.py", "data/published_ids.csv", "data/split_table.py"),
        *("data/seen.py", "io/manifest.py"),
    ],
    "train": ["train", "models", "data"],
    "score": ["score", "models", "data", "io/store.py", "io/scores.py"],
    "ablate": [
        *("evaluate/ablate.py", "evaluate/subsets.py", "evaluate/metrics.py", "score", "models"),
        *("data/recordings.py", "io/store.py"),
    ],
    "evaluate": ["evaluate", "io/scores.py", "harmonize/stages.py", "score/uncertainty.py"],
    "features": ["features", "evaluate/arousals.py", "evaluate/stage_runs.py", "io/scores.py"],
    "predict": ["predict", "evaluate/paired.py"],
    "report": ["report"],
}
# How files are checked and described has no part in what a stage computes.
NO_SCIENCE = {PACKAGE / "io" / name for name in ("provenance.py", "progress.py", "ours.py", "claim.py")}


@cache
def code_hash(stage: str) -> str:
    """Return a hash of the modules behind a stage."""
    digest = hashlib.sha256()
    for name in [*BASE, *MODULES[stage]]:
        path = PACKAGE / name
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in (".py", ".csv", ".html"))
        for file in files:
            if file not in NO_SCIENCE:
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def provenance(stage: str | None = None) -> dict[str, Any]:
    """Return the versions that a result was made with, and of a stage also its code and the job that ran it.

    Returns
    -------
    dict
        hypnoflow, python and each library: versions. With `stage`: code (hash), command (list of words), host,
        started (ISO 8601, UTC) and seconds of this process. slurm_job_id where there is one.
    """
    facts: dict[str, Any] = {"hypnoflow": version("hypnoflow"), "python": platform.python_version()}
    facts |= {name: version(name) for name in LIBRARIES}
    if stage is not None:
        began = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
        code = {"code": code_hash(stage)} if stage in MODULES else {}
        facts |= {"stage": stage, **code, "command": command(), "host": platform.node()}
        facts |= {"started": began.isoformat(timespec="seconds")}
        facts |= {"seconds": round((datetime.now(UTC) - began).total_seconds(), 1)}
    if "SLURM_JOB_ID" in os.environ:
        facts["slurm_job_id"] = os.environ["SLURM_JOB_ID"]
    return facts


def write_facts(
    path: Path, stage: str | None, facts: Mapping[str, Any], files: Iterable[Path] = (), texts: Iterable[Path] = ()
) -> None:
    """Write the JSON that a stage writes last: what it made, with what, and how to know it again.

    Parameters
    ----------
    path : Path
    stage : str or None
        None where no stage of the workflow writes: then nothing is said of the process, and the same inputs give the
        same JSON.
    facts : mapping
        What the stage says of its result.
    files : iterable of Path
        What it wrote below the JSON's folder and others read: tables and networks. Not stores, which have hashes of
        their own.
    texts : iterable of Path
        What it wrote there for people, who may save it again: listed as ours, and not checked.

    Raises
    ------
    ValueError
        If a file lies elsewhere.
    OSError
        If one cannot be read, or the JSON not be written.
    """
    names = {
        what: {file.relative_to(path.parent).as_posix(): described(file) for file in each}
        for what, each in (("files", files), ("texts", texts))
    }
    write_json(path, {**facts, **names, "provenance": provenance(stage)})


def command() -> list[str]:
    """Return the words of the command that runs, as a user can type them; empty where another program calls us."""
    name = Path(sys.argv[0]).name
    return ["hypnoflow", *sys.argv[1:]] if name in ("hypnoflow", "cli.py") else []

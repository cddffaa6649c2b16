"""What a result is and was made with: files, versions, code, command, machine, cluster job; in every stage's JSON."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from hypnoflow.facts.code import DOORS, code_of
from hypnoflow.facts.files import write_json
from hypnoflow.facts.ours import described

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


def provenance(stage: str | None = None, code: str | None = None) -> dict[str, Any]:
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
        code = code_of(stage) if code is None and stage in DOORS else code
        facts |= {"stage": stage, **({"code": code} if code else {}), "command": command(), "host": platform.node()}
        facts |= {"started": began.isoformat(timespec="seconds")}
        facts |= {"seconds": round((datetime.now(UTC) - began).total_seconds(), 1)}
    if "SLURM_JOB_ID" in os.environ:
        facts["slurm_job_id"] = os.environ["SLURM_JOB_ID"]
    return facts


def write_facts(
    path: Path,
    stage: str | None,
    facts: Mapping[str, Any],
    files: Iterable[Path] = (),
    texts: Iterable[Path] = (),
    *,
    code: str | None = None,
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
    code : str, optional
        `code_of` what ran, where the stage alone does not say it.

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
    write_json(path, {**facts, **names, "provenance": provenance(stage, code)})


def command() -> list[str]:
    """Return the words of the command that runs, as a user can type them; empty where another program calls us."""
    name = Path(sys.argv[0]).name
    return ["hypnoflow", *sys.argv[1:]] if name in ("hypnoflow", "cli.py") else []

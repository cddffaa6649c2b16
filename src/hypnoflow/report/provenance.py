"""Where every result comes from, in one table of jobs and one JSON, so that results can be handed on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hypnoflow.config.schema import Config
from hypnoflow.facts.files import fingerprint, read_json
from hypnoflow.facts.layout import RECORDS, RUNS


@dataclass(frozen=True, slots=True)
class Provenance:
    """What results were made with.

    Attributes
    ----------
    jobs : DataFrame
        A row per job: stage, output, started, seconds, peak_mb, host, slurm_job_id, hypnoflow, code, command.
    runs : list of dict
        Every start of the workflow in this folder: command, config, versions.
    sources : dict
        SHA-256 of each native file by cohort, recording and path.
    """

    jobs: pd.DataFrame
    runs: list[dict[str, Any]]
    sources: dict[str, dict[str, dict[str, str]]]

    def as_json(self, config: Config) -> dict[str, Any]:
        """Return all of it for machines, with the config."""
        return {
            "config": config.model_dump(mode="json"),
            "seed": config.science.seed,
            "runs": self.runs,
            "jobs": json.loads(self.jobs.to_json(orient="records")),
            "sources": self.sources,
        }

    def by_stage(self) -> list[dict[str, Any]]:
        """Return a row per stage: number of jobs, time, peak memory, hosts, Slurm jobs."""
        rows = []
        for stage, jobs in self.jobs.groupby("stage", sort=False):
            slurm = jobs["slurm_job_id"].dropna()
            rows.append(
                {
                    "stage": stage,
                    "jobs": len(jobs),
                    "minutes": jobs["seconds"].sum() / 60,
                    "peak_mb": jobs["peak_mb"].max() if jobs["peak_mb"].notna().any() else None,
                    "hosts": ", ".join(sorted(set(jobs["host"].dropna()))),
                    "code": ", ".join(sorted(set(jobs["code"].dropna()))),
                    "slurm": f"{len(slurm)} ({slurm.iloc[0]} ...)" if len(slurm) else "",
                }
            )
        return rows

    def by_cohort(self) -> dict[str, tuple[int, str]]:
        """Return the number of each cohort's native files, and one hash over their names and hashes."""
        files = {
            cohort: {path: digest for hashes in recordings.values() for path, digest in hashes.items()}
            for cohort, recordings in self.sources.items()
        }
        return {cohort: (len(hashes), fingerprint(hashes)) for cohort, hashes in files.items()}


def collect_provenance(results: Path) -> Provenance:
    """Read the JSONs of all stages, their benchmarks, and the record of runs."""
    jobs: list[dict[str, Any]] = []
    sources: dict[str, dict[str, dict[str, str]]] = {}
    for stage, pattern in RECORDS.items():
        for path in sorted(results.glob(pattern)) if stage != "report" else ():
            facts = read_json(path)
            jobs.append(_job(results, stage, path, facts.get("provenance", {})))
            if stage == "harmonize":
                sources.setdefault(path.parent.name, {}).update(facts.get("sources", {}))
    runs = results / RUNS
    lines = runs.read_text(encoding="utf-8", errors="replace").splitlines() if runs.is_file() else []
    return Provenance(pd.DataFrame(jobs), [run for line in lines for run in _run(line)], sources)


def _run(line: str) -> list[dict[str, Any]]:
    """Return what a line of the record of runs says, nothing if a full disk cut it off."""
    try:
        return [json.loads(line)]
    except ValueError:
        return []


def _job(results: Path, stage: str, path: Path, made: dict[str, Any]) -> dict[str, Any]:
    """Return a job's row; time and memory are Snakemake's where it measured them, else the job's own."""
    names = ("started", "seconds", "host", "slurm_job_id", "hypnoflow", "code")
    row = {"stage": stage, "output": path.relative_to(results).as_posix()} | {name: made.get(name) for name in names}
    row |= {"command": made.get("command"), "peak_mb": None}
    measured = results / "logs" / stage / path.relative_to(results / Path(path.relative_to(results)).parts[0])
    try:
        benchmark = pd.read_csv(measured.with_suffix(".tsv"), sep="\t", na_values="-").iloc[0]
        row |= {"seconds": float(benchmark["s"]), "peak_mb": float(benchmark["max_rss"])}
    except (OSError, KeyError, IndexError, ValueError):  # run by hand
        pass
    return row

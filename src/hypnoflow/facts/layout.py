"""Where everything lies below the results folder: the one place that knows.

Rules, jobs, the start of a run, the report and README's table take their paths from here. A pattern has its wildcards
in braces, as Snakemake writes them: ``harmonized/{cohort}/{shard}.json``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """What the jobs of one rule leave, below the results.

    Attributes
    ----------
    what : str
        What lies there, in a few words.
    record : str
        Pattern of the JSON that is written last and says what the others are made of.
    others : mapping of str to str
        Patterns of the rule's other outputs, by name; Snakemake knows these files.
    store : str
        Pattern of the Zarr store or folder that the record vouches for, which Snakemake does not see; empty if none.
    log : str
        Pattern of the log, without its ending.
    """

    what: str
    record: str
    log: str
    others: Mapping[str, str] = field(default_factory=dict)
    store: str = ""

    @property
    def outputs(self) -> dict[str, str]:
        """Return the patterns of all that Snakemake knows, the record under the name `record`."""
        return {**self.others, "record": self.record}


RUNS = "logs/runs.jsonl"  # every start of the workflow, a line each
SLURM_LOGS = "logs/slurm"
PLACES = {
    "simulate": Place(
        "a cohort's native files, simulated, and the truth behind them",
        "simulate/{cohort}.json",
        "simulate/{cohort}",
        store="simulate/{cohort}",
    ),
    "index": Place(
        "the manifest: every recording, its person and its files",
        "index/{cohort}.json",
        "index/{cohort}",
        {"manifest": "index/{cohort}.parquet"},
    ),
    "harmonize": Place(
        "scaled signals, stages and events, one Zarr group a recording",
        "harmonized/{cohort}/{shard}.json",
        "harmonize/{cohort}/{shard}",
        {"qc": "harmonized/{cohort}/{shard}.qc.parquet"},
        store="harmonized/{cohort}/{shard}.zarr",
    ),
    "draw": Place(
        "who is in which split, as trainings read it",
        "split/drawn.json",
        "split/drawn",
        {"table": "split/drawn.parquet", "text": "split/drawn.csv"},
    ),
    "split": Place(
        "the same, in which whom this training has seen stays seen",
        "split/{model}.json",
        "split/{model}",
        {"table": "split/{model}.parquet", "text": "split/{model}.csv"},
    ),
    "train": Place(
        "a trained network, its curve, and whom it has seen",
        "train/{model}/seed{seed}.json",
        "train/{model}/seed{seed}",
        {
            "checkpoint": "train/{model}/seed{seed}.ckpt",
            "seen": "train/{model}/seed{seed}.seen.parquet",
            "curve": "train/{model}/seed{seed}.csv",
        },
    ),
    "score": Place(
        "stages at every resolution, and the hypnodensity, one Zarr group a recording",
        "score/{model}/{cohort}/{shard}.json",
        "score/{model}/{cohort}/{shard}",
        store="score/{model}/{cohort}/{shard}.zarr",
    ),
    "ablate": Place(
        "unseen recordings scored from subsets of their channels",
        "evaluate/{model}/{cohort}/{shard}.json",
        "ablate/{model}/{cohort}/{shard}",
        {
            "table": "evaluate/{model}/{cohort}/{shard}.parquet",
            "attention": "evaluate/{model}/{cohort}/{shard}.attention.parquet",
        },
    ),
    "evaluate": Place(
        "agreement with the labels by recording and cohort, with arousals, and with the simulated truth",
        "evaluate/{model}.json",
        "evaluate/{model}",
        {
            "table": "evaluate/{model}.parquet",
            "cohorts": "evaluate/{model}.cohorts.parquet",
            "text": "evaluate/{model}.cohorts.csv",
            "events": "evaluate/{model}.events.parquet",
            "truth": "evaluate/{model}.truth.parquet",
        },
    ),
    "compare": Place(
        "all networks of a task on the same unseen persons, pair by pair",
        "compare/{task}.json",
        "compare/{task}",
        {"table": "compare/{task}.csv"},
    ),
    "features": Place(
        "biomarkers, a row per recording and resolution",
        "features/{model}.json",
        "features/{model}",
        {"table": "features/{model}.parquet", "blocks": "features/{model}.blocks.parquet"},
    ),
    "predict": Place(
        "one target predicted at every resolution, and compared with 30 s",
        "predict/{model}/{target}.json",
        "predict/{model}/{target}",
        {
            "table": "predict/{model}/{target}.parquet",
            "forests": "predict/{model}/{target}.forests.parquet",
            "discovery": "predict/{model}/{target}.discovery.parquet",
            "text": "predict/{model}/{target}.discovery.csv",
        },
    ),
    "report": Place(
        "the page, its figures for machines, and what made them",
        "report/provenance.json",
        "report/report",
        {"page": "report/report.html", "summary": "report/report.json"},
    ),
}


class Layout:
    """The paths of one folder of results.

    Parameters
    ----------
    results : Path or str
        Written as it is given: Snakemake knows a file by its very spelling.
    """

    def __init__(self, results: Path | str):
        self.results = str(results)

    def outputs(self, stage: str) -> dict[str, str]:
        """Return the patterns of a rule's outputs, by name."""
        return {name: f"{self.results}/{pattern}" for name, pattern in PLACES[stage].outputs.items()}

    def pattern(self, stage: str, name: str = "record") -> str:
        """Return the pattern of one output of a rule, or of its store."""
        place = PLACES[stage]
        return f"{self.results}/{place.store if name == 'store' else place.outputs[name]}"

    def path(self, stage: str, name: str = "record", **wildcards: str | int) -> Path:
        """Return the path of one output of one job, or of its store."""
        return Path(self.pattern(stage, name).format(**wildcards))

    def log(self, stage: str) -> str:
        """Return the pattern of a rule's log."""
        return f"{self.results}/logs/{PLACES[stage].log}.log"

    def benchmark(self, stage: str) -> str:
        """Return the pattern of the table in which Snakemake notes time and memory of a rule's jobs."""
        return f"{self.results}/logs/{PLACES[stage].log}.tsv"

    def folder(self, stage: str, **wildcards: str) -> str:
        """Return the folder of all that a rule leaves, or with ``model=`` of what it leaves of one model."""
        top = PLACES[stage].record.split("/")[0]
        return "/".join([self.results, top, *wildcards.values()])


# Where each stage leaves its records, as globs; those of `draw` lie among those of `split`.
RECORDS = {stage: re.sub(r"{\w+}", "*", place.record) for stage, place in PLACES.items() if stage != "draw"}

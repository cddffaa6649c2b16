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
    reads : tuple of str
        Rules whose outputs the jobs read.
    options : tuple of str
        Sections of the config's `science` that decide what comes out.
    door : str
        The module that a job opens, below src/hypnoflow.
    """

    what: str
    record: str
    log: str
    others: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    reads: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    door: str = ""

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
        reads=(),
        options=("seed", "simulate", "cohorts"),
        door="simulate/job.py",
    ),
    "index": Place(
        "the manifest: every recording, its person and its files",
        "index/{cohort}.json",
        "index/{cohort}",
        {"manifest": "index/{cohort}.parquet"},
        reads=("simulate",),
        options=("index", "cohorts"),
        door="index/job.py",
    ),
    "harmonize": Place(
        "scaled signals, stages and events, one Zarr group a recording",
        "harmonized/{cohort}/{shard}.json",
        "harmonize/{cohort}/{shard}",
        {"qc": "harmonized/{cohort}/{shard}.qc.parquet"},
        store="harmonized/{cohort}/{shard}.zarr",
        reads=("index",),
        options=("harmonize", "cohorts"),
        door="harmonize/job.py",
    ),
    "draw": Place(
        "who is in which split, as trainings read it",
        "split/drawn.json",
        "split/drawn",
        {"table": "split/drawn.parquet", "text": "split/drawn.csv"},
        reads=("index", "harmonize"),
        options=("seed", "split"),
        door="split/job.py",
    ),
    "split": Place(
        "the same, in which whom this training has seen stays seen",
        "split/{model}.json",
        "split/{model}",
        {"table": "split/{model}.parquet", "text": "split/{model}.csv"},
        reads=("index", "draw", "train"),
        options=("seed", "split"),
        door="split/job.py",
    ),
    "train": Place(
        "a trained network, its curve, and whom it has seen",
        "train/{model}/{run}.json",
        "train/{model}/{run}",
        {
            "checkpoint": "train/{model}/{run}.ckpt",
            "seen": "train/{model}/{run}.seen.parquet",
            "curve": "train/{model}/{run}.csv",
        },
        reads=("draw", "harmonize", "train"),
        options=("seed", "train", "models"),
        door="train/job.py",
    ),
    "score": Place(
        "stages at every resolution, and the hypnodensity, one Zarr group a recording",
        "score/{model}/{cohort}/{shard}.json",
        "score/{model}/{cohort}/{shard}",
        store="score/{model}/{cohort}/{shard}.zarr",
        reads=("harmonize", "train"),
        options=("score",),
        door="score/job.py",
    ),
    "subsets": Place(
        "unseen recordings scored from subsets of their channels",
        "subsets/{model}/{cohort}/{shard}.json",
        "subsets/{model}/{cohort}/{shard}",
        {
            "table": "subsets/{model}/{cohort}/{shard}.parquet",
            "attention": "subsets/{model}/{cohort}/{shard}.attention.parquet",
        },
        reads=("split", "harmonize", "train"),
        options=("seed", "evaluate.subsets"),
        door="subsets/job.py",
    ),
    "agreement": Place(
        "each night's scores beside its labels: confusion, confidence, arousals, and the simulated truth",
        "agreement/{model}/{cohort}/{shard}.json",
        "agreement/{model}/{cohort}/{shard}",
        {
            "table": "agreement/{model}/{cohort}/{shard}.parquet",
            "epochs": "agreement/{model}/{cohort}/{shard}.epochs.parquet",
            "consensus": "agreement/{model}/{cohort}/{shard}.consensus.parquet",
            "events": "agreement/{model}/{cohort}/{shard}.events.parquet",
            "truth": "agreement/{model}/{cohort}/{shard}.truth.parquet",
        },
        reads=("split", "index", "harmonize", "score"),
        options=("features.intrusion_*", "train.min_overlap_s"),
        door="agreement/job.py",
    ),
    "evaluate": Place(
        "agreement by recording and by cohort, calibration, arousals found, subsets of channels",
        "evaluate/{model}.json",
        "evaluate/{model}",
        {
            "table": "evaluate/{model}.parquet",
            "cohorts": "evaluate/{model}.cohorts.parquet",
            "text": "evaluate/{model}.cohorts.csv",
            "events": "evaluate/{model}.events.parquet",
            "truth": "evaluate/{model}.truth.parquet",
        },
        reads=("split", "agreement", "subsets"),
        options=("seed", "evaluate"),
        door="evaluate/job.py",
    ),
    "compare": Place(
        "all networks of a task on the same unseen persons, pair by pair",
        "compare/{task}.json",
        "compare/{task}",
        {"table": "compare/{task}.csv"},
        reads=("evaluate",),
        options=("seed", "evaluate"),
        door="compare/job.py",
    ),
    "features": Place(
        "biomarkers, a row per recording and resolution",
        "features/{model}.json",
        "features/{model}",
        {"table": "features/{model}.parquet", "blocks": "features/{model}.blocks.parquet"},
        reads=("split", "harmonize", "score"),
        options=("features",),
        door="features/job.py",
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
        reads=("features", "index"),
        options=("seed", "predict"),
        door="predict/job.py",
    ),
    "report": Place(
        "the page, its figures for machines, and what made them",
        "report/provenance.json",
        "report/report",
        {"page": "report/report.html", "summary": "report/report.json"},
        reads=("all",),
        options=("all",),
        door="report/job.py",
    ),
}


def run_name(seed: int, fold: int | None = None) -> str:
    """Return what one training run of an entry is called: the ``{run}`` of paths."""
    return f"seed{seed}" if fold is None else f"seed{seed}-fold{fold}"


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

    def folder(self, stage: str, *below: str) -> str:
        """Return the folder of all that a rule leaves, or of what it leaves of one model."""
        top = PLACES[stage].record.split("/")[0]
        return "/".join([self.results, top, *below])


# Where each stage leaves its records, as globs; those of `draw` lie among those of `split`.
RECORDS = {stage: re.sub(r"{\w+}", "*", place.record) for stage, place in PLACES.items() if stage != "draw"}


def stages_table() -> str:
    """Return the table of rules for docs/architecture.md, as Markdown; `hypnoflow config` writes it there."""
    lines = ["| rule | verb | reads | writes | options | door |", "|---|---|---|---|---|---|"]
    for name, place in PLACES.items():
        verb = "split" if name == "draw" else name
        writes = "<br>".join(f"`{pattern}`" for pattern in [place.store, *place.outputs.values()] if pattern)
        cells = (name, f"`{verb}`", ", ".join(place.reads) or "nothing", f"{place.what}<br>{writes}")
        lines.append(f"| {' | '.join(cells)} | {', '.join(place.options)} | `{place.door}` |")
    return "\n".join(lines) + "\n"

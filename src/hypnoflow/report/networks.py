"""All trainings, task by task and side by side, on persons that none of their own has seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from hypnoflow.config.schema import Science
from hypnoflow.facts.files import read_json
from hypnoflow.facts.layout import Layout, run_name
from hypnoflow.seeds import generator
from hypnoflow.types import UNSEEN

DRAWS = 2000  # of persons, for an interval of 95 %


class NetworkRow(TypedDict):
    """One training; None where nothing defines a figure.

    macro_f1 is the mean over persons of the mean of their recordings, with a bootstrap interval over persons; kappa is
    pooled, and so is positive_f1, the F1 of the second class of a task of two. seconds and memory are those of the jobs
    that scored, with their start, by night. difference is to the first entry of the task, on the persons that both have
    not seen, with Holm's p.
    """

    task: str
    name: str
    network: str
    persons: int
    macro_f1: float | None
    low: float | None
    high: float | None
    kappa: float | None
    positive_f1: float | None
    parameters: int | None
    macs: int | None
    reads: str
    channels_counted: int | None
    seconds: float | None
    memory_mb: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p_holm: float | None


def network_rows(layout: Layout, science: Science, jobs: pd.DataFrame) -> dict[str, list[NetworkRow]]:
    """Return a row per entry that is scored, by task, in the config's order; staging first.

    Parameters
    ----------
    jobs : DataFrame
        As `hypnoflow.report.provenance` collects them.
    """
    by_task: dict[str, list[str]] = {"stage": []}
    for name, entry in science.models.items():
        if entry.task is not None:
            by_task.setdefault(entry.task, []).append(name)
    found = {}
    for task, names in by_task.items():
        found[task] = [_row(name, task, layout, science, jobs) for name in names]
        if len(names) > 1:
            table = pd.read_csv(layout.path("compare", "table", task=task))
            for row in found[task][1:]:
                _difference(row, names[0], table)
    return found


def _row(name: str, task: str, layout: Layout, science: Science, jobs: pd.DataFrame) -> NetworkRow:
    found = pd.read_parquet(layout.path("evaluate", "table", model=name))
    unseen = found[found["split"].isin(UNSEEN) & (found["n_epochs"] > 0)]
    by_person = unseen.groupby(["cohort", "person"])["macro_f1"].mean().dropna().to_numpy()
    low, high = interval(by_person, generator(science.seed, "report", "networks", name))
    facts = read_json(layout.path("evaluate", model=name))
    summary = facts.get("unseen") or {}
    training = read_json(layout.path("train", model=name, run=runs_of(name, science)[0]))
    seconds, memory_mb = _cost(jobs, f"score/{name}/", layout)
    return {
        "task": task,
        "name": name,
        "network": training.get("network", name),
        "persons": len(by_person),
        "macro_f1": float(by_person.mean()) if len(by_person) else None,
        "low": low,
        "high": high,
        "kappa": summary.get("kappa"),
        "positive_f1": summary["f1"][facts["classes"][-1]] if summary and len(facts["classes"]) == 2 else None,
        "parameters": training.get("parameters"),
        "macs": training.get("macs_per_epoch"),
        "reads": training.get("reads", ""),
        "channels_counted": training.get("channels_counted"),
        "seconds": seconds,
        "memory_mb": memory_mb,
        "difference": None,
        "difference_low": None,
        "difference_high": None,
        "p_holm": None,
    }


def runs_of(model: str, science: Science) -> list[str]:
    """Return the names of an entry's training runs."""
    return [run_name(seed, fold) for seed in science.models[model].seeds for fold in science.split.fold_numbers]


def interval(values: np.ndarray, rng: np.random.Generator) -> tuple[float | None, float | None]:
    """Return a percentile bootstrap interval of the mean, 95 %; None of fewer than two values."""
    if len(values) < 2:
        return None, None
    means = values[rng.integers(len(values), size=(DRAWS, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _cost(jobs: pd.DataFrame, below: str, layout: Layout) -> tuple[float | None, float | None]:
    """Return seconds a night and the most memory of the jobs that wrote scores below a folder."""
    scored = jobs[jobs["output"].str.startswith(below)] if len(jobs) else jobs
    nights = sum(len(read_json(Path(layout.results) / output)["recordings"]) for output in scored["output"])
    if not nights:
        return None, None
    memory = scored["peak_mb"].astype(float)
    return float(scored["seconds"].sum()) / nights, float(memory.max()) if memory.notna().any() else None


def _difference(row: NetworkRow, first: str, compared: pd.DataFrame) -> None:
    """Put in how a network differs from the first, whichever of the two the comparison names first."""
    rows = compared[compared["scope"] == "all"]
    names: Sequence[str] = (row["name"], first)
    for sign, (model, other) in ((1, names), (-1, names[::-1])):
        pair = rows[(rows["model"] == model) & (rows["other"] == other)]
        if len(pair):
            one = pair.iloc[0]
            ends = sorted(sign * float(one[end]) for end in ("difference_low", "difference_high"))
            row["difference"], row["p_holm"] = sign * float(one["difference"]), float(one["p_holm"])
            row["difference_low"], row["difference_high"] = ends

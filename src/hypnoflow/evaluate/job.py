"""Stores of scores and labels → how well they agree: tables by recording and cohort, and their summary."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hypnoflow.config.evaluate import Evaluate
from hypnoflow.config.features import Features
from hypnoflow.evaluate.arousal_agreement import Arousals, summarise_arousals
from hypnoflow.evaluate.channels import read_ablations, summarise_subsets
from hypnoflow.evaluate.cohorts import cohort_table
from hypnoflow.evaluate.nights import Agreement
from hypnoflow.evaluate.opened import open_nights
from hypnoflow.evaluate.uncertainty import Trust
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import replacing, write_table
from hypnoflow.facts.ours import record_of
from hypnoflow.facts.progress import track
from hypnoflow.facts.provenance import write_facts
from hypnoflow.split.usable import usable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where what is evaluated lies.

    split, index : Path
        The table of splits, and the folder of manifests.
    harmonized, scores : Path
        Folders of the stores.
    subsets : Path or None
        Folder of the tables that `hypnoflow.evaluate.ablate` made.
    """

    split: Path
    harmonized: Path
    scores: Path
    index: Path
    subsets: Path | None = None


def evaluate_files(inputs: Inputs, out: Path, options: Evaluate, features: Features, *, seed: int) -> None:
    """Write ``{out}`` (a row per recording), and what it names: cohorts, arousals, truth, summary.

    Beside it lie ``.cohorts.parquet``, ``.cohorts.csv``, ``.events.parquet``, ``.truth.parquet`` and ``.json``.

    Parameters
    ----------
    features : Features
        Says what a wake intrusion is.
    seed : int
        The config's.
    """
    ends = (".cohorts.parquet", ".events.parquet", ".truth.parquet")
    text, others = out.with_suffix(".cohorts.csv"), [out.with_suffix(end) for end in ends]
    with claim(out.with_suffix(".json"), [out, text, *others], [inputs.split]) as mine:
        at_30_s, by_cohort, arousals, fine, summary = _evaluated(inputs, options, features, seed)
        write_table(by_cohort, text, float_format="%.4f")
        tables = zip([*others, out], (by_cohort, arousals, fine, at_30_s), strict=True)
        write_facts(mine.record, "evaluate", summary, [_write(each, path) for path, each in tables], [text])
    unseen = summary["unseen"]
    if unseen and unseen["kappa"] is not None:
        log.info("unseen persons: macro-F1 %.3f, kappa %.3f", unseen["macro_f1"], unseen["kappa"])


def _evaluated(
    inputs: Inputs, options: Evaluate, features: Features, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the tables at 30 s, by cohort, of arousals and of the truth, and the summary."""
    table = usable(pd.read_parquet(inputs.split), inputs.harmonized)
    twins = [twin for path in sorted(inputs.index.glob("*.json")) if (twin := record_of(path)) is not None]
    roots = {twin["cohort"]: Path(twin["root"]) for twin in twins if twin["simulated"]}
    agreement, trust, intrusions = (
        Agreement(options, roots), Trust(options, seed=seed), Arousals(features.intrusion_rule()),
    )  # fmt: skip
    for night in track(open_nights(table, inputs.harmonized, inputs.scores), len(table), "evaluate"):
        for each in (agreement, trust, intrusions):
            each.add(night)
    at_30_s, fine, summary = agreement.tables()
    summary["uncertainty"], arousals = trust.summary(), intrusions.table()
    summary["arousals"] = summarise_arousals(arousals)
    if inputs.subsets is not None:
        shards = set(zip(table["cohort"], table["shard"], strict=True))
        summary["subsets"] = summarise_subsets(*read_ablations(inputs.subsets, shards), options, seed)
    return at_30_s, cohort_table(at_30_s, options, simulated=roots), arousals, fine, summary


def _write(table: pd.DataFrame, path: Path) -> Path:
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)
    return path

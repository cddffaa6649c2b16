"""Tables of agreement, shard by shard → how well one training's scores agree: by recording, by cohort, and in sum."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hypnoflow.agreement.confidence import labelled_nights
from hypnoflow.agreement.tables import ENDS
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.errors import CohortError
from hypnoflow.evaluate.arousals import summarise_arousals
from hypnoflow.evaluate.channels import read_subsets, summarise_subsets
from hypnoflow.evaluate.cohorts import cohort_table
from hypnoflow.evaluate.nights import measured, summarise
from hypnoflow.evaluate.said import Evaluation
from hypnoflow.evaluate.uncertainty import trust
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import read_json, replacing, write_table
from hypnoflow.facts.provenance import write_facts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The tables of all shards as one, see `hypnoflow.agreement.job`; in order of cohort and recording.

    task : str
    classes : tuple of str
    simulated : set of str
        Cohorts whose nights are simulated.
    """

    task: str
    classes: tuple[str, ...]
    simulated: set[str]
    table: pd.DataFrame
    epochs: pd.DataFrame
    consensus: pd.DataFrame
    events: pd.DataFrame
    truth: pd.DataFrame


def evaluate_files(
    split: Path, agreement: Path, subsets: Path | None, out: Path, options: Evaluate, *, seed: int
) -> None:
    """Write ``{out}`` (a row per recording), and what it names: cohorts, arousals, truth, summary.

    Beside it lie ``.cohorts.parquet``, ``.cohorts.csv``, ``.events.parquet``, ``.truth.parquet`` and ``.json``.

    Parameters
    ----------
    split : Path
        The table of splits, whose shards are gathered.
    agreement : Path
        Folder of the tables that `hypnoflow.agreement` made, ``{cohort}/{shard}.parquet``.
    subsets : Path or None
        Folder of the tables that `hypnoflow.subsets` made.
    seed : int
        The config's.
    """
    ends = (".cohorts.parquet", ".events.parquet", ".truth.parquet")
    text, others = out.with_suffix(".cohorts.csv"), [out.with_suffix(end) for end in ends]
    with claim(out.with_suffix(".json"), [out, text, *others], [split]) as mine:
        shards = pd.read_parquet(split, columns=["cohort", "shard"]).drop_duplicates()
        places = sorted(shards.itertuples(index=False, name=None))
        found = gather(agreement, places)
        at_30_s = measured(found.table, found.classes, options)
        by_cohort = cohort_table(at_30_s, options, found.simulated, found.classes)
        summary = summarised(found, at_30_s, options, seed)
        if subsets is not None:
            summary["subsets"] = summarise_subsets(*read_subsets(subsets, places), options, seed)
        write_table(by_cohort, text, float_format="%.4f")
        tables = zip([*others, out], (by_cohort, found.events, found.truth, at_30_s), strict=True)
        write_facts(mine.record, "evaluate", summary, [_write(each, path) for path, each in tables], [text])
    unseen = summary["unseen"]
    if unseen and unseen["kappa"] is not None:
        log.info("unseen persons: macro-F1 %.3f, kappa %.3f", unseen["macro_f1"], unseen["kappa"])


def gather(folder: Path, shards: list[tuple[str, str]]) -> Gathered:
    """Read the tables of all shards.

    Raises
    ------
    CohortError
        If a shard's are missing, or were made for another task than those before.
    """
    facts = []
    for cohort, shard in shards:
        sibling = folder / cohort / f"{shard}.json"
        if not sibling.exists():
            raise CohortError(f"{sibling} is missing: run `hypnoflow agreement` for this shard first")
        facts.append(read_json(sibling))
    tasks = {(each["task"], tuple(each["classes"])) for each in facts}
    if len(tasks) != 1:
        raise CohortError(f"{folder} holds tables of {len(tasks)} tasks: {', '.join(sorted(t for t, _ in tasks))}")
    [(task, classes)] = tasks
    simulated = {cohort for (cohort, _), each in zip(shards, facts, strict=True) if each["simulated"]}
    return Gathered(task, classes, simulated, **{name: _joined(folder, shards, end) for name, end in ENDS.items()})


def _joined(folder: Path, shards: list[tuple[str, str]], end: str) -> pd.DataFrame:
    parts = [pd.read_parquet(folder / cohort / f"{shard}{end}") for cohort, shard in shards]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts).sort_values(["cohort", "recording"], kind="stable", ignore_index=True)


def summarised(found: Gathered, at_30_s: pd.DataFrame, options: Evaluate, seed: int) -> Evaluation:
    """Return all figures, as JSON can hold them."""
    unlabelled = at_30_s.loc[at_30_s["n_epochs"] == 0, "recording"].tolist()
    if unlabelled:
        log.info("%d recordings without a scored epoch, in no mean: %s", len(unlabelled), ", ".join(unlabelled))
    return {
        "task": found.task,
        "classes": list(found.classes),
        **summarise(at_30_s, found.classes, options),
        "uncertainty": trust([*labelled_nights(found.table, found.epochs)], found.consensus, options, seed=seed),
        "arousals": summarise_arousals(found.events),
    }


def _write(table: pd.DataFrame, path: Path) -> Path:
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)
    return path

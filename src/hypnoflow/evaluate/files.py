"""The stage as jobs: tables and stores in, tables out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hypnoflow.config import Science
from hypnoflow.data.splits import usable
from hypnoflow.evaluate.arousal_agreement import arousal_agreement, summarise_arousals
from hypnoflow.evaluate.channels import read_ablations, summarise_subsets
from hypnoflow.evaluate.cohorts import cohort_table
from hypnoflow.evaluate.run import evaluate_model
from hypnoflow.evaluate.uncertainty import evaluate_uncertainty
from hypnoflow.io.claim import claim
from hypnoflow.io.files import replacing, write_table
from hypnoflow.io.ours import record_of
from hypnoflow.io.provenance import write_facts

log = logging.getLogger(__name__)


def evaluate_files(
    split: Path, harmonized: Path, scores: Path, index: Path, out: Path, subsets: Path | None, options: Science
) -> None:
    """Write ``{out}`` (a row per recording), and what it names: cohorts, arousals, truth, summary.

    Beside it lie ``.cohorts.parquet``, ``.cohorts.csv``, ``.events.parquet``, ``.truth.parquet`` and ``.json``.

    Parameters
    ----------
    split, index : Path
        The table of splits, and the folder of manifests.
    harmonized, scores : Path
        Folders of the stores.
    subsets : Path or None
        Folder of the tables that `ablate_files` made.
    """
    ends = (".cohorts.parquet", ".events.parquet", ".truth.parquet")
    text, others = out.with_suffix(".cohorts.csv"), [out.with_suffix(end) for end in ends]
    with claim(out.with_suffix(".json"), [out, text, *others], [split]) as mine:
        at_30_s, by_cohort, arousals, fine, summary = _evaluated(split, harmonized, scores, index, subsets, options)
        write_table(by_cohort, text, float_format="%.4f")
        tables = zip([*others, out], (by_cohort, arousals, fine, at_30_s), strict=True)
        write_facts(mine.record, "evaluate", summary, [_write(each, path) for path, each in tables], [text])
    unseen = summary["unseen"]
    if unseen and unseen["kappa"] is not None:
        log.info("unseen persons: macro-F1 %.3f, kappa %.3f", unseen["macro_f1"], unseen["kappa"])


def _evaluated(
    split: Path, harmonized: Path, scores: Path, index: Path, subsets: Path | None, options: Science
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the tables at 30 s, by cohort, of arousals and of the truth, and the summary."""
    table = usable(pd.read_parquet(split), harmonized)
    twins = [twin for path in sorted(index.glob("*.json")) if (twin := record_of(path)) is not None]
    roots = {twin["cohort"]: Path(twin["root"]) for twin in twins if twin["simulated"]}
    at_30_s, fine, summary = evaluate_model(table, harmonized, scores, roots, options.evaluate)
    summary["uncertainty"] = evaluate_uncertainty(table, harmonized, scores, options.evaluate, seed=options.seed)
    arousals = arousal_agreement(table, harmonized, scores, options.features.intrusion_rule())
    summary["arousals"] = summarise_arousals(arousals)
    if subsets is not None:
        shards = set(zip(table["cohort"], table["shard"], strict=True))
        summary["subsets"] = summarise_subsets(*read_ablations(subsets, shards), options.evaluate, options.seed)
    return at_30_s, cohort_table(at_30_s, options.evaluate, simulated=roots), arousals, fine, summary


def ablate_files(
    store: Path, checkpoints: Sequence[Path], split: Path, out: Path, options: Science, *, threads: int, device: str
) -> None:
    """Write ``{out}`` (a row per recording, checkpoint and subset of channels) and its ``.attention.parquet``.

    Parameters
    ----------
    store : Path
        One harmonized shard, ``{cohort}/{shard}.zarr``.
    """
    from hypnoflow.evaluate.ablate import ablate_shard  # networks, and so torch: `evaluate` starts without them

    attention_file = out.with_suffix(".attention.parquet")
    with claim(out.with_suffix(".json"), [attention_file, out], [split, *checkpoints]) as mine:
        table = pd.read_parquet(split)
        table = table[(table["cohort"] == store.parent.name) & (table["shard"] == store.stem)]
        rows, attention = ablate_shard(
            usable(table, store.parents[1]),
            store,
            checkpoints,
            options.evaluate.subsets,
            seed=options.seed,
            threads=threads,
            device=device,
        )
        written = [_write(attention, attention_file), _write(rows, out)]
        write_facts(mine.record, "ablate", {"rows": len(rows)}, written)
    log.info("%s: %d rows of %d recordings", out, len(rows), rows["recording"].nunique())


def _write(table: pd.DataFrame, path: Path) -> Path:
    with replacing(path) as partial:
        table.to_parquet(partial, index=False)
    return path

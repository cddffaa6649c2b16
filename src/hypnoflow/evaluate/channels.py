"""What scores from subsets of channels say: agreement by number of channels and by pair, and the attention weights."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.config.evaluate import Evaluate
from hypnoflow.evaluate.said import OfSubsets
from hypnoflow.facts.files import records
from hypnoflow.seeds import generator
from hypnoflow.stats.confusion import cohen_kappa, counts_of, macro_f1, n_occurring
from hypnoflow.stats.paired import compare_means, pair_up
from hypnoflow.subsets.choose import ALL


def read_subsets(folder: Path, shards: Collection[tuple[str, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of subsets and of attention of the given (cohort, shard)s, each as one."""

    def gather(suffix: str) -> pd.DataFrame:
        paths = [folder / cohort / f"{shard}{suffix}" for cohort, shard in sorted(shards)]
        parts = [part for part in map(pd.read_parquet, paths) if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    return gather(".parquet"), gather(".attention.parquet")


def summarise_subsets(subsets: pd.DataFrame, attention: pd.DataFrame, options: Evaluate, seed: int) -> OfSubsets:
    """Return the three parts, as JSON can hold them; an empty list where no recording fits.

    Returns
    -------
    dict
        `count`: one row per number of channels, compared with all channels. `pairs`: one row per cell of the pair
        matrix, compared with EOG and C4. `attention`: mean weight by run, level, electrode.
    """
    return {
        "absent_class": options.absent_class,
        "most_eeg": options.subsets.most_eeg,
        "count": plain(by_count(subsets, options, seed)),
        "pairs": plain(by_pair(subsets, options, seed)),
        "attention": plain(mean_attention(attention)),
    }


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows for JSON, None where a cell is undefined."""
    return [{name: None if pd.isna(value) else value for name, value in row.items()} for row in records(table)]


def by_count(subsets: pd.DataFrame, options: Evaluate, seed: int) -> pd.DataFrame:
    """Return recording-wise macro-F1 by number of EEG channels, with and without EOG.

    Macro-F1 is averaged over a recording's subsets, over training seeds, over a person's recordings, then over
    persons; every cell holds the same recordings, and each is compared with the whole montage on the same persons.

    Returns
    -------
    DataFrame
        One row per cell: condition, n_eeg and n_eog (NaN for the whole montage, which differs between recordings),
        the columns of `compare_means`, recordings, subsets (over all recordings), runs (training seeds), stages (mean
        number of stages that occur in a subset's labels or prediction) and kappa (averaged in the same way over the
        recordings where every cell defines it).
    """
    rows = _measured(subsets, "count", options)
    if rows.empty:
        return rows
    rows.loc[rows["cell"] == ALL, ["n_eeg", "n_eog"]] = np.nan
    return _compared(rows, ALL, ["n_eeg", "n_eog"], options, generator(seed, "evaluate", "count"))


def by_pair(subsets: pd.DataFrame, options: Evaluate, seed: int) -> pd.DataFrame:
    """Return recording-wise macro-F1 of each electrode and pair; columns as `by_count`, with first and second.

    Differences are to C4 with an EOG, what a minimal montage has.
    """
    rows = _measured(subsets, "pairs", options)
    if rows.empty:
        return rows
    return _compared(rows, "EOG + C4", ["first", "second"], options, generator(seed, "evaluate", "pairs"))


def _measured(subsets: pd.DataFrame, analysis: str, options: Evaluate) -> pd.DataFrame:
    """Return an analysis's rows with macro_f1 and stages."""
    if subsets.empty:
        return pd.DataFrame()
    rows = subsets[subsets["analysis"] == analysis].reset_index(drop=True)
    counts = counts_of(rows)
    return rows.assign(
        macro_f1=macro_f1(counts, options.absent_class), kappa=cohen_kappa(counts), stages=n_occurring(counts)
    )


def _compared(
    rows: pd.DataFrame, reference: str, facts: list[str], options: Evaluate, rng: np.random.Generator
) -> pd.DataFrame:
    found = pair_up(rows, "cell", "macro_f1")
    table = compare_means(found, reference, options.resampling, rng).rename(columns={"value": "macro_f1"})
    by_cell = rows.groupby("cell")
    one_run = rows[rows["seed"] == rows["seed"].iloc[0]]
    about = (
        by_cell[facts]
        .first()
        .assign(
            recordings=len(rows[["cohort", "recording"]].drop_duplicates()),
            subsets=one_run.groupby("cell").size(),
            runs=rows["seed"].nunique(),
            stages=by_cell["stages"].mean(),
            kappa=_mean_kappa(rows),
        )
    )
    return table.join(about, on="condition")


def _mean_kappa(rows: pd.DataFrame) -> pd.Series:
    """Return the mean kappa by cell; it is undefined where labels and prediction are one and the same stage."""
    undefined = rows[rows["kappa"].isna()].set_index(["cohort", "recording"]).index
    known = rows[~rows.set_index(["cohort", "recording"]).index.isin(undefined)]
    if known.empty:
        return pd.Series(np.nan, index=rows["cell"].unique())
    found = pair_up(known, "cell", "kappa")
    return pd.Series(found.values.mean(0), index=found.names)


def mean_attention(attention: pd.DataFrame) -> pd.DataFrame:
    """Return the mean weight over recordings, by run, level and electrode, with the number of recordings.

    Runs are kept apart: their weights differ more than those of recordings do, so their mean would explain nothing.
    """
    if attention.empty:
        return pd.DataFrame()
    grouped = attention.groupby(["seed", "level", "electrode"], sort=False)
    return grouped["weight"].agg(weight="mean", recordings="size").reset_index()

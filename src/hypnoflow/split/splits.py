"""Stage `split`: persons, never recordings, into train, valid and test; held-out cohorts whole."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from hypnoflow.config.split import Split
from hypnoflow.errors import CohortError
from hypnoflow.seeds import generator
from hypnoflow.split.folds import deal, tested, with_folds
from hypnoflow.split.published import UNLISTED, assign_published, read_lists
from hypnoflow.split.table import assign_table

SPLITS = ("train", "valid", "test", "held_out")


def split_persons(recordings: pd.DataFrame, options: Split, *, held_out: Collection[str], seed: int) -> pd.DataFrame:
    """Assign every person to a split, cohort by cohort.

    Parameters
    ----------
    recordings : DataFrame
        Columns cohort, shard, recording, person, group of every manifest: also what cannot be used later, so that a
        recording that fails moves nobody else. Persons of one group, a family say, go to one split.
    options : Split
        How: drawn by U-Sleep's rule, 10 % (at most 50 persons) and 15 % (at most 100); by the published lists; or by
        the user's table.
    held_out : collection of str
        Cohorts that are kept out of training and validation whole, whatever lists or a table say; with
        `options.hold_out` false they are cohorts as any other.
    seed : int
        The config's seed; each cohort has a draw of its own, so that adding one leaves the others as they are.

    Returns
    -------
    DataFrame
        Columns cohort, shard, recording, person, group, split, one row per recording, sorted. Recordings that lists or
        a table leave out are "unlisted". With folds all others are "test", `fold` says in which, and `in_fold_1` and
        so on what each is where that fold is left out, see `hypnoflow.split.folds`.

    Raises
    ------
    ConfigError
        If the lists or the table cannot be read.
    CohortError
        If a person or a family is in two splits, or nothing is left to train or validate on.
    """
    table = recordings[["cohort", "shard", "recording", "person", "group"]].reset_index(drop=True)
    kept_out = table["cohort"].isin(list(held_out) if options.hold_out else [])
    if options.kind == "folds":
        table["fold"] = deal(table[~kept_out], options, seed).reindex(table.index, fill_value=0)
        table["split"] = tested(table["fold"]).mask(kept_out, "held_out")
        _check_persons(table)
        return with_folds(table.sort_values(["cohort", "recording"], ignore_index=True), options, seed)
    table["split"] = _assign(table, options, seed).mask(kept_out, "held_out")
    _check_persons(table)
    for needed in ("train", "valid"):
        if not (table["split"] == needed).any():
            raise CohortError(f"no person is left for {needed}: {_why_nobody(table, options)}")
    return table.sort_values(["cohort", "recording"], ignore_index=True)


def _assign(table: pd.DataFrame, options: Split, seed: int) -> pd.Series:
    if options.kind == "usleep":
        return assign_published(table, read_lists(options.file))
    if options.kind == "table":
        return assign_table(table, Path(str(options.file)))
    where: dict[tuple[object, object], str] = {}
    for cohort, rows in table.groupby("cohort", sort=True):
        groups = sorted(rows["group"].unique())
        order = generator(seed, "split", str(cohort)).permutation(len(groups))
        labels = _labels(len(groups), options)
        where |= {(cohort, groups[i]): label for i, label in zip(order, labels, strict=True)}
    names = zip(table["cohort"], table["group"], strict=True)
    return pd.Series([where[name] for name in names], index=table.index, dtype=object)


def _check_persons(table: pd.DataFrame) -> None:
    """Raise CohortError if recordings of one person or family are in two splits; those in none do not count."""
    used = table[table["split"] != UNLISTED]
    for who in ("person", "group"):
        for (cohort, name), rows in used.groupby(["cohort", who]):
            if rows["split"].nunique() > 1:
                found = ", ".join(f"{r} in {s}" for r, s in zip(rows["recording"], rows["split"], strict=True))
                raise CohortError(f"{cohort}: {who} {name} is in two splits ({found}); put all its recordings in one")


def _why_nobody(table: pd.DataFrame, options: Split) -> str:
    if options.kind == "ratio":
        return "too few persons, or every cohort is held out"
    counts = ", ".join(f"{n} {split}" for split, n in table["split"].value_counts().items())
    example = f" (such as {table['recording'].iloc[0]})" if len(table) else ""
    by = f"by {options.file}"
    if options.kind == "usleep":
        by = "by the published lists, which hold no simulated recording; for those use science.split.kind: ratio"
    return f"of {len(table)} recordings{example} {counts or 'none'} {by}"


def _labels(n: int, options: Split) -> list[str]:
    """Return the splits of `n` persons in drawn order; small cohorts keep one person at least to train on."""
    test = min(math.ceil(n * options.test_fraction), options.test_max, n - 1)
    valid = min(math.ceil(n * options.valid_fraction), options.valid_max, max(n - 1 - test, 0))
    return ["test"] * test + ["valid"] * valid + ["train"] * (n - test - valid)

"""Whom trainings have seen: a network that is kept when data are added knows persons that a new draw calls unseen."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from hypnoflow.errors import CohortError
from hypnoflow.facts.files import replacing
from hypnoflow.split.published import UNLISTED

COLUMNS = ["cohort", "person", "group", "split", "fold"]  # fold: which the training left out, 0 of none
USED = ("train", "valid")  # by what they were used for; who was trained on and validated on was trained on


def persons_seen(split: pd.DataFrame, fold: int | None = None) -> pd.DataFrame:
    """Return the persons that a training on this table sees: a row for each, of `COLUMNS`.

    Also those whose recordings turn out unusable: what becomes of a file later must not make a person unseen.
    """
    used = split.loc[split["split"].isin(USED)].assign(fold=fold or 0)
    return used.reindex(columns=COLUMNS).drop_duplicates(ignore_index=True)


def beside(checkpoint: Path) -> Path:
    """Return where the persons lie that a checkpoint has seen."""
    return checkpoint.with_suffix(".seen.parquet")


def write_seen(persons: pd.DataFrame, checkpoint: Path, bases: Iterable[Path] = (), fold: int | None = None) -> None:
    """Write the persons that a checkpoint has seen, with those of what it started from where they are known.

    `fold` is the one that this training left out, which says whom it may score, whatever fold a base left out.
    """
    before = [_read(beside(base)).assign(fold=fold or 0) for base in bases if beside(base).exists()]
    with replacing(beside(checkpoint)) as path:
        pd.concat([persons, *before]).drop_duplicates().to_parquet(path, index=False)


def as_trained(table: pd.DataFrame, trainings: Iterable[Path]) -> pd.DataFrame:
    """Return a table of splits in which nobody whom a training has seen counts as unseen, whatever was drawn since.

    Parameters
    ----------
    table : DataFrame
        Columns cohort, person, group, split and, with folds, fold, as `split_persons` draws them now.
    trainings : iterable of Path
        The files that `write_seen` made, one per training.

    Returns
    -------
    DataFrame
        Persons that any training has seen, and their families, are "train", or "valid" if they were only validated
        on. Whom the draw would use and no training saw is "unlisted": neither trained on nor unseen by the draw. With
        folds a person is scored by the trainings of the own fold, so that only these count.

    Raises
    ------
    CohortError
        If a file cannot be read.
    """
    seen = pd.concat(map(_read, trainings), ignore_index=True)
    table = table.copy()
    listed = table["split"] != UNLISTED
    families = pd.MultiIndex.from_frame(table[["cohort", "group"]])
    known = pd.Series(False, index=table.index)
    for use in reversed(USED):  # the last one wins
        rows = seen[seen["split"] == use]
        met = _is_in(table, rows, "person") | _is_in(table, rows, "group")
        if "fold" in table:  # who is in no fold and no study was seen with the family by networks of other folds
            met &= listed | (table["fold"] != 0)
        used = listed & pd.Series(families.isin(families[met]), index=table.index)
        table.loc[used, "split"] = use
        known |= used
    table.loc[table["split"].isin(USED) & ~known, "split"] = UNLISTED
    return table


def _is_in(table: pd.DataFrame, rows: pd.DataFrame, who: str) -> pd.Series:
    """Return which recordings are of a person or family in `rows`."""
    fold = table["fold"] if "fold" in table else pd.Series(0, index=table.index)
    found = pd.Series(False, index=table.index)
    for left_out, part in rows.groupby("fold"):
        names = pd.MultiIndex.from_frame(table[["cohort", who]])
        here = names.isin(pd.MultiIndex.from_frame(part[["cohort", who]]))
        found |= here & ((fold == 0) | (left_out == 0) | (fold == left_out))
    return found


def _read(path: Path) -> pd.DataFrame:
    try:
        found = pd.read_parquet(path)
        known = found[COLUMNS[:-1]].astype("object")
        return known.assign(fold=found["fold"].astype(int) if "fold" in found else 0)
    except (OSError, ValueError, KeyError) as error:
        raise CohortError(f"cannot read whom a training has seen, {path}: {error}; train again") from error

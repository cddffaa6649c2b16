"""Persons dealt into folds: each is tested once, by networks that were trained without the person's fold."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from hypnoflow.config.split import Split
from hypnoflow.errors import CohortError
from hypnoflow.seeds import generator
from hypnoflow.split.left_out import IN_FOLD
from hypnoflow.split.published import UNLISTED


def deal(table: pd.DataFrame, options: Split, seed: int) -> pd.Series:
    """Return the fold of each recording, from 1; 0 for persons who are in none.

    The families of a cohort are dealt out evenly in drawn order, each cohort beginning where the one before ended, so
    that folds are equal up to one family however small the cohorts are.

    Raises
    ------
    CohortError
        If there are fewer families than folds.
    """
    fold = pd.Series(0, index=table.index)
    dealt = 0
    for cohort, rows in table.groupby("cohort", sort=True):
        first = sorted(rows["person"].unique())[: options.persons]
        taken = rows[rows["person"].isin(first)]
        groups = sorted(taken["group"].unique())
        order = generator(seed, "split", str(cohort)).permutation(len(groups))
        place = {groups[g]: (dealt + k) % options.folds + 1 for k, g in enumerate(order)}
        fold[taken.index] = taken["group"].map(place)
        dealt += len(groups)
    if dealt < options.folds:
        raise CohortError(f"{dealt} persons or families are too few for {options.folds} folds: set science.split.folds")
    return fold


def with_folds(table: pd.DataFrame, options: Split, seed: int) -> pd.DataFrame:
    """Return a table of splits with a column ``in_fold_{k}`` for each fold k: train, valid, test, or as `split` says.

    Those who validate are drawn anew for each fold from whom it leaves to train on.

    Raises
    ------
    CohortError
        If nobody is left to train or to validate on.
    """
    found = table.copy()
    for k in options.fold_numbers:
        column = np.where(table["fold"] == k, "test", table["split"].where(table["fold"] == 0, "train"))
        found[f"{IN_FOLD}{k}"] = column
        for cohort, rows in found[column == "train"].groupby("cohort", sort=True):
            groups = sorted(rows["group"].unique())
            n = min(math.ceil(len(groups) * options.valid_fraction), options.valid_max, len(groups) - 1)
            chosen = generator(seed, "split", str(cohort), "valid", int(k or 0)).permutation(len(groups))[:n]
            held = rows.index[rows["group"].isin([groups[i] for i in chosen])]
            found.loc[held, f"{IN_FOLD}{k}"] = "valid"
        for needed in ("train", "valid"):
            if not (found[f"{IN_FOLD}{k}"] == needed).any():
                raise CohortError(f"no person is left for {needed} in fold {k} of {options.folds}: too few persons")
    return found


def tested(fold: pd.Series) -> pd.Series:
    """Return the split of persons by their folds."""
    return pd.Series(np.where(fold > 0, "test", UNLISTED), index=fold.index)

"""A table of splits with one fold left out, as the training of that fold reads it."""

from __future__ import annotations

import pandas as pd

from hypnoflow.errors import ConfigError

IN_FOLD = "in_fold_"  # columns: who trains, validates and is tested where this fold is left out


def of_fold(table: pd.DataFrame, fold: int | None) -> pd.DataFrame:
    """Return a table of splits as the training of one fold reads it; as it is where there are no folds.

    Raises
    ------
    ConfigError
        If it has folds and none is named, or not this one.
    """
    known = [name.removeprefix(IN_FOLD) for name in map(str, table) if name.startswith(IN_FOLD)]
    if fold is None and not known:
        return table
    if str(fold) not in known:
        raise ConfigError(
            f"the table of splits has {'the folds ' + ', '.join(known) if known else 'no folds'}; "
            + (f"found fold {fold}" if fold is not None else "name one with --fold")
        )
    return without_folds(table.assign(split=table[f"{IN_FOLD}{fold}"]))


def without_folds(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of splits without what only trainings read."""
    return table.drop(columns=[name for name in map(str, table) if name.startswith(IN_FOLD)])

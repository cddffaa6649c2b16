"""A user's own split: a CSV of recordings or persons and where they go."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from hypnoflow.errors import CohortError, ConfigError, did_you_mean
from hypnoflow.split.published import UNLISTED

log = logging.getLogger(__name__)

KNOWN = ("train", "valid", "test", "held_out")


def read_split_table(path: Path) -> pd.DataFrame:
    """Return a checked table with the columns cohort, recording or person, split; one row per name.

    Raises
    ------
    ConfigError
        For a file that is not such a table: a column or a cell is missing, a split is unknown, a name is listed with
        two splits.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ConfigError(f"science.split.file: cannot read {path} as CSV: {error}") from None
    table.columns = table.columns.str.strip()
    key = [name for name in ("recording", "person") if name in table]
    if len(key) != 1 or not {"cohort", "split"} <= set(table.columns):
        found = ", ".join(table.columns)
        raise ConfigError(f"{path} must have the columns cohort, recording or person, and split; it has {found}")
    table = table[["cohort", key[0], "split"]].apply(lambda column: column.str.strip())
    _check_cells(path, table)
    table = table.drop_duplicates()
    twice = table[table.duplicated(["cohort", key[0]], keep=False)]
    if len(twice):
        cohort, name = twice.iloc[0][["cohort", key[0]]]
        splits = twice.loc[(twice["cohort"] == cohort) & (twice[key[0]] == name), "split"]
        raise ConfigError(f"{path} lists {key[0]} {cohort}/{name} as {' and as '.join(splits)}")
    return table


def _check_cells(path: Path, table: pd.DataFrame) -> None:
    for at, row in enumerate(table.itertuples(index=False), start=2):  # line 1 names the columns
        if "" in row:
            raise ConfigError(f"{path}, line {at}: an empty cell in {','.join(row)!r}")
        split = str(row[2])
        if split not in KNOWN:
            known = ", ".join(KNOWN)
            raise ConfigError(
                f"{path}, line {at}: unknown split {split!r}{did_you_mean(split, KNOWN)} (known: {known})"
            )


def assign_table(recordings: pd.DataFrame, path: Path) -> pd.Series:
    """Return the split of each recording by the user's table; `UNLISTED` where it says nothing.

    Parameters
    ----------
    recordings : DataFrame
        Columns cohort, recording, person.

    Raises
    ------
    CohortError
        If no row of the table names anything in the manifests.
    """
    table = read_split_table(path)
    key = "recording" if "recording" in table else "person"
    where = {(row[0], row[1]): row[2] for row in table.itertuples(index=False)}
    names = list(zip(recordings["cohort"], recordings[key], strict=True))
    unknown = sorted(set(where) - set(names))
    if len(unknown) == len(where):
        known = "/".join(names[0]) if names else "nothing"
        raise CohortError(f"{path} names no {key} of the manifests: it has {'/'.join(unknown[0])}, they have {known}")
    if unknown:
        some = ", ".join("/".join(name) for name in unknown[:5])
        log.warning("%s: %d rows name no %s of the manifests: %s", path, len(unknown), key, some)
    split = pd.Series([where.get(name, UNLISTED) for name in names], index=recordings.index, dtype=object)
    left_out = int((split == UNLISTED).sum())
    if left_out:
        log.info("%s does not name %d of %d recordings: they are in no split", path, left_out, len(split))
    return split

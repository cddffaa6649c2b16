"""One value per group from a table of recordings: persons and families never count more than once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

KEYS = ["cohort", "group"]
ANY = 0  # in steps_per_epoch: a feature of no single resolution


def with_group(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with persons and groups named "{cohort}/{name}", whichever way they are given.

    An empty or missing group is the person's own.
    """
    cohort = table["cohort"].astype(str)
    group = table["group"] if "group" in table else pd.Series("", index=table.index)
    own = group.isna() | (group.astype(str) == "")
    group = group.astype(object).where(~own, table["person"])
    return table.assign(cohort=cohort, person=_named(cohort, table["person"]), group=_named(cohort, group))


def _named(cohort: pd.Series, name: pd.Series) -> list[str]:
    pairs = zip(cohort, name.astype(str), strict=True)
    return [each if each.startswith(f"{of}/") else f"{of}/{each}" for of, each in pairs]


def features_by_group(
    features: pd.DataFrame, columns: Sequence[str], *, people: pd.DataFrame | None = None, once: Collection[str] = ()
) -> pd.DataFrame:
    """Return features by group: the mean over a person's recordings, then over the group's persons.

    NaN, where a recording does not define a feature, is left out of a mean.

    Parameters
    ----------
    features : DataFrame
        One row per recording and resolution: cohort, person, group, steps_per_epoch and columns; without
        steps_per_epoch the features belong to no single resolution.
    people : DataFrame, optional
        cohort, person, group: only these persons count.
    once : collection of str
        Columns that are the same at every resolution: only their values at 30 s are kept.

    Returns
    -------
    DataFrame, shape (group, resolution and feature)
        Index cohort, group; columns steps_per_epoch, feature. Infinite values become NaN.
    """
    table = with_group(features)
    if "steps_per_epoch" not in table:
        table = table.assign(steps_per_epoch=ANY)
    if people is not None:
        table = table[table["person"].isin(with_group(people)["person"])]
    columns = list(columns)
    by_person = table.groupby(["steps_per_epoch", *KEYS, "person"], sort=True)[columns].mean()
    by_group = by_person.groupby(level=["steps_per_epoch", *KEYS], sort=True).mean()
    wide = pd.DataFrame(by_group.unstack("steps_per_epoch")).swaplevel(axis=1)
    wide.columns.names = ["steps_per_epoch", "feature"]
    repeated = wide.columns.get_level_values("feature").isin(list(once)) & (
        wide.columns.get_level_values("steps_per_epoch") > 1
    )
    return wide.loc[:, ~repeated].replace([np.inf, -np.inf], np.nan)


def targets_by_group(people: pd.DataFrame, *, is_class: bool) -> tuple[pd.DataFrame, pd.Series]:
    """Return the persons that speak for each group, and the group's target.

    A number is averaged over persons. A class is that of all its persons where they agree; where they do not, the
    person whose name sorts first speaks alone for the family, since half a class is none.

    Returns
    -------
    people : DataFrame
        The rows that count.
    y : Series indexed by cohort, group
    """
    known = with_group(people[people["y"].notna()]).sort_values(["cohort", "group", "person"])
    if is_class:
        agree = known.groupby(KEYS)["y"].transform("nunique") == 1
        first = ~known.duplicated(KEYS)
        known = known[agree | first]
    return known, known.groupby(KEYS, sort=True)["y"].mean()

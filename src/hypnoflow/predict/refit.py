"""What the controls and the learning curve need of a learner: fit on these persons, return their predictions."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd


class Refit(Protocol):
    """Cross-validate on some persons with the given targets.

    Parameters
    ----------
    people : DataFrame
        One row per person: cohort, group, person, y. Persons left out of it are in no fold; y may differ from the
        truth (shuffled targets).

    Returns
    -------
    DataFrame
        The out-of-fold table of these persons, at least with the conditions "baseline", "1" and "best" by the
        configured learner and scheme; empty where they are too few. Features, folds, conditions and the choice of
        "best" inside the training folds are the caller's, as in the real run.
    """

    def __call__(self, people: pd.DataFrame) -> pd.DataFrame: ...


def shuffle_targets(people: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return people with the targets of each cohort dealt to other groups of the same cohort.

    Groups are dealt as blocks: a family's values stay neighbours, so that targets are as alike within families as
    before, except where a block meets a family of another size. Every cohort keeps its values.
    """
    parts = []
    for _, rows in people.groupby("cohort", sort=True):
        rows = rows.sort_values(["group", "person"])
        blocks = [block["y"].to_numpy() for _, block in rows.groupby("group", sort=True)]
        dealt = np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])
        parts.append(rows.assign(y=dealt))
    return pd.concat(parts).sort_index()


def draw_groups(people: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the persons of `n` groups drawn without replacement, in the order of `people`.

    Cohorts keep their shares: groups are drawn in turns spaced by 1 / (size of their cohort), so that a cohort's number
    is its share of `n` up to one.
    """
    groups = people[["cohort", "group"]].drop_duplicates(ignore_index=True)
    shuffled = groups.iloc[rng.permutation(len(groups))]
    rank = shuffled.groupby("cohort").cumcount().to_numpy(float)
    size = shuffled.groupby("cohort")["group"].transform("size").to_numpy(float)
    start = shuffled["cohort"].map({name: rng.random() for name in sorted(groups["cohort"].unique())})
    turn = (rank + start.to_numpy(float)) / size
    kept = shuffled.iloc[np.argsort(turn, kind="stable")[:n]]
    wanted = pd.MultiIndex.from_frame(kept)
    return people[pd.MultiIndex.from_frame(people[["cohort", "group"]]).isin(wanted)]

"""Pools of simulated persons, from which the benches draw many studies, and what is read from a study's features.

Drawing nights is the slow part. A pool is drawn once per mechanism; a study is a random part of its families, and
what is left is the large independent set on which a procedure's true error is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.config import Effects, Features
from hypnoflow.features.run import dictionary, recording_features
from hypnoflow.simulate.study import Design, Site, draw_study

Floats = NDArray[np.float64]
YARDSTICK = "classic"


@dataclass(frozen=True, slots=True)
class Persons:
    """Features and targets of persons, nights averaged.

    x : dict of str to ndarray, shape (person, feature)
        By condition: "classic", and each resolution.
    about : DataFrame
        Columns cohort, person, group ("cohort/family") and the targets.
    """

    x: dict[str, Floats]
    about: pd.DataFrame

    @property
    def group(self) -> NDArray[np.int64]:
        return pd.factorize(self.about["group"])[0].astype(np.int64)

    def take(self, rows: NDArray[np.int64]) -> Persons:
        return Persons({c: x[rows] for c, x in self.x.items()}, self.about.iloc[rows].reset_index(drop=True))


def feature_table(sites: Sequence[Site], effects: Effects, design: Design, *, seed: int) -> pd.DataFrame:
    """Return the manifest's columns and the features, a row per recording and resolution."""
    study = draw_study(sites, effects, design, seed=seed)
    rows = [{**row, **each} for row, scores in study.scores() for each in recording_features(scores, Features())]
    return pd.DataFrame(rows)


def draw_pool(sites: Sequence[Site], effects: Effects, design: Design = Design(), *, seed: int) -> Persons:
    """Draw persons with all their nights and return them by condition."""
    return by_person(feature_table(sites, effects, design, seed=seed))


def by_person(table: pd.DataFrame) -> Persons:
    """Average the nights of each person; undefined features count as the mean of those where they are defined."""
    named = dictionary()
    fine = [str(c) for c in named.loc[named["group"] != YARDSTICK, "name"]]
    classic = [str(c) for c in named.loc[named["group"] == YARDSTICK, "name"]]
    keys = ["cohort", "group", "person"]
    mean = table.groupby(["steps_per_epoch", *keys])[[*classic, *fine]].mean()
    first = table.groupby(keys)[["age_y", "sex", "ahi_per_h", "bmi"]].first()
    about = first.reset_index()
    about["group"] = about["cohort"] + "/" + about["group"]
    about["age"] = about["age_y"]
    about["log_ahi"] = np.log10(about["ahi_per_h"] + 1)
    about["apnea_15"] = (about["ahi_per_h"] >= 15).astype(float)
    x = {str(f): filled(mean.loc[f].loc[first.index, fine]) for f in mean.index.unique("steps_per_epoch")}
    return Persons({"classic": filled(mean.loc[1].loc[first.index, classic]), **x}, about)


def filled(features: pd.DataFrame) -> Floats:
    return features.fillna(features.mean()).fillna(0.0).to_numpy(float)


def split_pool(pool: Persons, persons: int, rng: np.random.Generator) -> tuple[Persons, Persons]:
    """Return whole families until there are at least `persons` of them, and all others."""
    order = rng.permutation(pool.group.max() + 1)
    sizes = np.bincount(pool.group)
    taken = order[: np.searchsorted(np.cumsum(sizes[order]), persons) + 1]
    inside = np.isin(pool.group, taken)
    return pool.take(np.flatnonzero(inside)), pool.take(np.flatnonzero(~inside))


def shuffled(pool: Persons, target: str, rng: np.random.Generator) -> Persons:
    """Give each family the target of another of its size, so that features say nothing and families stay alike."""
    y = pool.about[target].to_numpy(float).copy()
    members = [np.flatnonzero(pool.group == g) for g in range(pool.group.max() + 1)]
    for size in {len(m) for m in members}:
        same = [m for m in members if len(m) == size]
        given = y[np.concatenate(same)].reshape(-1, size)[rng.permutation(len(same))]
        y[np.concatenate(same)] = given.ravel()
    return Persons(pool.x, pool.about.assign(**{target: y}))

"""Pools of simulated persons, from which the benches draw many studies.

Drawing nights is the slow part. A pool is drawn once per mechanism; a study is a random part of its families, and
what is left is the large independent set on which a study's models show their true error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.config.features import Features
from hypnoflow.config.simulate import Effects
from hypnoflow.features import dictionary
from hypnoflow.features.rows import recording_features
from hypnoflow.predict.persons import YARDSTICK, People, gather_people
from hypnoflow.predict.targets import TARGETS
from hypnoflow.simulate.study import Design, Site, draw_study


def draw_pool(
    sites: Sequence[Site], effects: Effects, design: Design = Design(), *, target: str = "age", seed: int
) -> People:
    """Draw persons with all their nights, and return them with their features at every resolution."""
    study = draw_study(sites, effects, design, seed=seed)
    rows = [{**row, **each} for row, scores in study.scores() for each in recording_features(scores, Features())]
    return gather_people(pd.DataFrame(rows), study.manifest, TARGETS[target], dictionary())


def draw_study_of(pool: People, persons: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return who is in a study, shape (person,): whole families until there are at least `persons`."""
    order = rng.permutation(pool.group.max() + 1)
    sizes = np.bincount(pool.group)
    taken = order[: np.searchsorted(np.cumsum(sizes[order]), persons) + 1]
    return np.isin(pool.group, taken)


def shuffled(pool: People, rng: np.random.Generator) -> People:
    """Give each family the target of another of its size, so that features say nothing and families stay alike."""
    y = pool.y.copy()
    members = [np.flatnonzero(pool.group == g) for g in range(pool.group.max() + 1)]
    for size in {len(m) for m in members}:
        same = [m for m in members if len(m) == size]
        given = pool.y[np.concatenate(same)].reshape(-1, size)[rng.permutation(len(same))]
        y[np.concatenate(same)] = given.ravel()
    return pool.only(pd.Series(y, index=pool.table["person"]))


def of_each_resolution(pool: People, inside: NDArray[np.bool_]) -> dict[str, pd.DataFrame]:
    """Return the features of a study as the control takes them: a row per family, classic statistics apart."""
    index = pd.MultiIndex.from_frame(pool.table.loc[inside, ["cohort", "group"]])
    n_classic = pool.features[YARDSTICK].shape[1]
    found = {YARDSTICK: pool.features[YARDSTICK]} | {f: pool.features[f][:, n_classic:] for f in pool.resolutions}
    return {name: pd.DataFrame(x[inside], index=index).groupby(level=[0, 1]).mean() for name, x in found.items()}

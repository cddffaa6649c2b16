"""The published forest protocol, and its person-level out-of-bag variant (AnySleep, arXiv 2512.14461).

Published: 50 forests of 200 trees, each with its own drawn settings; every person is predicted by forests fitted on
all others; the blocks of a night are averaged, or vote where the target is a class, ties by lot. Here the unit that is
left out is the family, so that a second night of the same person is never in training; in the paper's data it was.

Out of bag: each tree sees a bootstrap of families, and a person is predicted by the trees that never saw the family.
One fit takes the place of as many as there are families. As many trees are grown as leave `trees` of them, on average,
to predict each person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import f1_score
from sklearn.utils.class_weight import compute_sample_weight

from hypnoflow.config.predict import Forests
from hypnoflow.facts.files import fingerprint, replacing
from hypnoflow.facts.progress import track
from hypnoflow.seeds import derive_seed, generator
from hypnoflow.stats.trees import bootstrap_of_groups, grow

Floats = NDArray[np.float64]
Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rows to fit: blocks of nights, or whole nights.

    x : ndarray, shape (row, feature), finite
    y : ndarray, shape (row,)
    person : ndarray of str, shape (row,)
    group : ndarray of str, shape (row,)
        Family.
    """

    x: Floats
    y: Floats
    person: NDArray[np.str_]
    group: NDArray[np.str_]
    is_class: bool

    def __post_init__(self) -> None:
        if not np.isfinite(self.x).all():
            raise ValueError("a block's features must be finite; leave out nights without sleep")

    def key(self, *more: Any) -> str:
        """Return what tells these rows, and `more`, from any others."""
        digest = hashlib.sha256(np.ascontiguousarray(self.x).tobytes() + self.y.tobytes())
        for names in (self.person, self.group):
            digest.update("\n".join(names).encode())
        return fingerprint([digest.hexdigest(), *more])


def draw_settings(forests: int, seed: int) -> list[Settings]:
    """Draw the settings of each forest once: depth, least leaf and least split 2 to 7, and features per split."""
    rng = generator(seed, "predict", "forests", "settings")
    names = ("max_depth", "min_samples_leaf", "min_samples_split")
    return [
        {**{name: int(rng.integers(2, 8)) for name in names}, "max_features": str(rng.choice(["sqrt", "log2"]))}
        for _ in range(forests)
    ]


def out_of_bag(blocks: Blocks, options: Forests, *, seed: int, threads: int = 1) -> pd.DataFrame:
    """Predict every person by the trees of each forest that never saw the person's family.

    A family counts as often as it was drawn, and a person's rows together count as one person.

    Returns
    -------
    DataFrame
        Columns person, forest, prediction; a class is 0 or 1.
    """
    settings = draw_settings(options.forests, seed)
    jobs = [delayed(_one_bag)(blocks, each, options.trees, seed, number) for number, each in enumerate(settings)]
    done = Parallel(n_jobs=threads, return_as="generator")(jobs)
    return pd.concat(list(track(done, len(jobs), "forests")), ignore_index=True)


def trees_needed(trees: int, groups: int) -> int:
    """Return how many trees leave, on average, `trees` of them to a group: it is missing with (1 - 1/n)^n."""
    return int(np.ceil(trees / (1 - 1 / groups) ** groups))


def _one_bag(blocks: Blocks, settings: Settings, trees: int, seed: int, number: int) -> pd.DataFrame:
    group = np.unique(blocks.group, return_inverse=True)[1]
    rng = generator(seed, "predict", "forests", "bag", number)
    drawn = bootstrap_of_groups(group, trees_needed(trees, int(group.max()) + 1), rng)
    person = np.unique(blocks.person, return_inverse=True)[1]
    weight = drawn / np.bincount(person)[person]
    if blocks.is_class:
        weight = weight * compute_sample_weight("balanced", blocks.y)
    x = blocks.x.astype(np.float32)
    forest = grow(x, blocks.y, weight, int(rng.integers(2**31)), settings)
    found = forest.predict(x, drawn == 0, x[:0])[0]
    return _by_person(found, blocks.person, blocks.is_class, rng).assign(forest=number)


def published(
    blocks: Blocks, options: Forests, *, seed: int, threads: int = 1, kept: Path | None = None
) -> pd.DataFrame:
    """Predict every person by forests of everybody outside the person's family, refitted for each.

    Parameters
    ----------
    kept : Path, optional
        Parquet of finished families, added to after each; run again, they are read and not refitted. What was kept of
        other rows or options stays in it, and is not used.

    Returns
    -------
    DataFrame
        As of `out_of_bag`.
    """
    settings = draw_settings(options.forests, seed)
    key = blocks.key(options.model_dump(), seed)
    before = _read_kept(kept)
    found = [before[before["key"] == key]]
    finished = set(found[0]["group"])
    families = [str(name) for name in np.unique(blocks.group) if name not in finished]
    jobs = [delayed(_without)(blocks, family, settings, options.trees, seed) for family in families]
    done = Parallel(n_jobs=threads, return_as="generator")(jobs)
    for part in track(done, len(jobs), "families left out"):
        found.append(part.assign(key=key))
        if kept is not None:
            with replacing(kept) as partial:
                pd.concat([before[before["key"] != key], *found]).to_parquet(partial, index=False)
    table = pd.concat(found, ignore_index=True).sort_values(["forest", "person"], ignore_index=True)
    return table[["person", "forest", "prediction"]]


def _read_kept(path: Path | None) -> pd.DataFrame:
    if path is None or not path.exists():
        columns = {"person": str, "forest": int, "prediction": float, "group": str, "key": str}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    return pd.read_parquet(path)


def _without(blocks: Blocks, family: str, settings: Sequence[Settings], trees: int, seed: int) -> pd.DataFrame:
    """Return the predictions of one family by forests of all others."""
    test = blocks.group == family
    parts = []
    for number, each in enumerate(settings):
        state = derive_seed(seed, "predict", "forests", "published", number, family)
        rows = _fit_predict(blocks, test, each, trees, state)
        rng = generator(seed, "predict", "forests", "votes", number, family)
        parts.append(_by_person(rows, blocks.person[test], blocks.is_class, rng).assign(forest=number))
    return pd.concat(parts, ignore_index=True).assign(group=family)


def _fit_predict(blocks: Blocks, test: NDArray[np.bool_], settings: Settings, trees: int, state: int) -> Floats:
    """Return predictions of the test rows; of a class, the probability of 1."""
    x, y = blocks.x[~test], blocks.y[~test]
    if len(np.unique(y)) < 2:
        return np.full(int(test.sum()), y.mean())
    if not blocks.is_class:
        return RandomForestRegressor(trees, random_state=state, **settings).fit(x, y).predict(blocks.x[test])
    model = RandomForestClassifier(trees, random_state=state, class_weight="balanced", **settings).fit(x, y)
    return model.predict_proba(blocks.x[test])[:, 1]


def _by_person(rows: Floats, person: NDArray[np.str_], is_class: bool, rng: np.random.Generator) -> pd.DataFrame:
    """Average the rows of each person, or let them vote, ties by lot; NaN where a row has no prediction."""
    votes = np.where(np.isnan(rows), np.nan, rows > 0.5) if is_class else rows
    mean = pd.Series(votes).groupby(person).agg(lambda values: values.mean(skipna=False))
    if is_class:
        lots = pd.Series(rng.integers(0, 2, len(mean)).astype(float), mean.index)
        mean = mean.round().where(mean != 0.5, lots)
    return pd.DataFrame({"person": mean.index, "prediction": mean.to_numpy(float)})


def forest_errors(table: pd.DataFrame, y: pd.Series[float], is_class: bool) -> pd.Series[float]:
    """Return each forest's error over persons: RMSE, or 1 - macro-F1.

    Parameters
    ----------
    y : Series indexed by person
    """

    def error(part: pd.DataFrame) -> float:
        true = y.loc[part["person"]].to_numpy()
        if is_class:
            return 1 - float(f1_score(true, part["prediction"], average="macro"))
        return float(np.sqrt(np.mean(np.square(part["prediction"] - true))))

    return table.groupby("forest")[["person", "prediction"]].apply(error)

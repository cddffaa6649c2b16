"""Out-of-fold predictions: random forests under cross-validation grouped by person."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from hypnoflow.config import Predict
from hypnoflow.seeds import derive_seed, generator

MIN_PER_CLASS = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One target with its persons: rows are recordings, and `person` says whose.

    y : ndarray, shape (recording,)
    person : ndarray of str, shape (recording,)
    """

    name: str
    y: NDArray[np.float64]
    person: NDArray[np.str_]
    is_class: bool

    @property
    def persons(self) -> pd.Series[float]:
        """Return the target by person, sorted by name; a person's visits are averaged (a class by majority)."""
        mean = pd.Series(self.y).groupby(self.person).mean()
        return mean.round() if self.is_class else mean


def fold_of_person(problem: Problem, folds: int, rng: np.random.Generator) -> pd.Series[int]:
    """Assign persons to folds, spread evenly over the target's range or classes.

    Returns
    -------
    Series indexed by person
    """
    persons = problem.persons
    order = np.lexsort((rng.random(len(persons)), persons.to_numpy()))
    if not problem.is_class:  # neighbours in age fall into different folds, in random order
        order = np.concatenate([rng.permutation(order[i : i + folds]) for i in range(0, len(order), folds)])
    fold = np.empty(len(persons), int)
    fold[order] = (np.arange(len(persons)) + rng.integers(folds)) % folds
    return pd.Series(fold, index=persons.index, dtype=int)


def out_of_fold(
    problem: Problem, conditions: dict[str, NDArray[np.float64]], options: Predict, *, seed: int, threads: int
) -> pd.DataFrame:
    """Predict every person from forests that never saw that person, under every condition with the same folds.

    Parameters
    ----------
    conditions : dict of str to ndarray, shape (recording, feature)
        Feature matrices to compare; one without columns predicts the training persons' mean or majority.
    seed : int
        The config's seed.
    threads : int
        Cores.

    Returns
    -------
    DataFrame
        Columns person, target, condition, repeat, y, prediction (a class's is the probability of class 1).
    """
    jobs = []
    for repeat in range(options.repeats):
        fold = fold_of_person(problem, options.folds, generator(seed, "predict", problem.name, "folds", repeat))
        row_fold = fold.reindex(problem.person).to_numpy()
        for name, x in conditions.items():
            state = derive_seed(seed, "predict", problem.name, "forest", repeat)
            jobs.append((problem, x, row_fold, options, state, (repeat, name)))
    with ThreadPoolExecutor(threads) as pool:
        return pd.concat(list(pool.map(_cross_validate, jobs)), ignore_index=True)


def _cross_validate(
    job: tuple[Problem, NDArray[np.float64], NDArray[np.int64], Predict, int, Any],
) -> pd.DataFrame:
    problem, x, row_fold, options, state, (repeat, name) = job
    prediction = np.full(len(problem.y), np.nan)
    for fold in np.unique(row_fold):
        test = row_fold == fold
        if x.shape[1]:
            prediction[test] = _fit_predict(problem, x[~test], problem.y[~test], x[test], options.trees, state)
        else:
            prediction[test] = _constant(problem, np.unique(problem.person[~test]))
    persons = problem.persons
    mean = pd.Series(prediction).groupby(problem.person).mean()
    return pd.DataFrame(
        {
            "person": persons.index,
            "target": problem.name,
            "condition": name,
            "repeat": repeat,
            "y": persons.to_numpy(),
            "prediction": mean.to_numpy(),
        }
    )


def _fit_predict(
    problem: Problem,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_new: NDArray[np.float64],
    trees: int,
    state: int,
) -> NDArray[np.float64]:
    if problem.is_class and len(np.unique(y)) < 2:
        return np.full(len(x_new), y[0])
    settings: dict[str, Any] = {
        "n_estimators": trees,
        "min_samples_leaf": 2,
        "max_features": "sqrt",
        "random_state": state,
    }
    # A feature that is undefined (no REM, hence no REM latency) takes the training rows' median.
    known = ~np.isnan(x).all(axis=0)
    median = np.zeros(x.shape[1])
    median[known] = np.nanmedian(x[:, known], axis=0)
    x, x_new = (np.where(np.isnan(part), median, part) for part in (x, x_new))
    if problem.is_class:
        forest = RandomForestClassifier(class_weight="balanced", **settings).fit(x, y)
        return forest.predict_proba(x_new)[:, list(forest.classes_).index(1.0)]
    return RandomForestRegressor(**settings).fit(x, y).predict(x_new)


def _constant(problem: Problem, training: NDArray[np.str_]) -> float:
    """Return the training persons' mean, or majority (the first class where they are even)."""
    mean = float(problem.persons.loc[list(training)].mean())
    return float(mean > 0.5) if problem.is_class else mean


def enough(problem: Problem, folds: int) -> str | None:
    """Return why a target cannot be predicted from these persons, or None."""
    persons = problem.persons
    if len(persons) < 2 * folds:
        return f"{len(persons)} persons with a known {problem.name}, {2 * folds} needed for {folds} folds"
    if problem.is_class and min((persons == c).sum() for c in (0, 1)) < MIN_PER_CLASS:
        return f"{problem.name}: fewer than {MIN_PER_CLASS} persons in one of the two classes"
    return None


def conditions_of(
    features: pd.DataFrame, columns: Sequence[str], classic: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return the feature matrices to compare: mean or majority, classic statistics at 30 s, then each resolution.

    Parameters
    ----------
    features : DataFrame
        Sorted so that each resolution lists the same recordings in the same order.
    columns : sequence of str
        Columns that are compared across resolutions.
    classic : sequence of str
        Columns of the 30-s yardstick.
    """
    coarse = features[features["steps_per_epoch"] == 1]
    matrices: dict[str, NDArray[np.float64]] = {
        "baseline": np.empty((len(coarse), 0)),
        "classic": coarse[list(classic)].to_numpy(float),
    }
    for f, rows in features.groupby("steps_per_epoch", sort=True):
        matrices[str(f)] = rows[list(columns)].to_numpy(float)
    return matrices

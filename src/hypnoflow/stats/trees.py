"""Regression trees drawn by family, and predictions by the trees that never saw one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import check_random_state

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


def bootstrap_of_groups(group: NDArray[np.int64], trees: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many groups as there are, with replacement, for each tree.

    Returns
    -------
    ndarray of int, shape (tree, row)
        How often each row's group was drawn; 0 is out of the bag.
    """
    names, member = np.unique(group, return_inverse=True)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=trees)
    return drawn[:, member]


@dataclass(frozen=True, slots=True)
class Forest:
    """Fitted trees."""

    trees: list[DecisionTreeRegressor]

    def predict(self, x: Singles, may: NDArray[np.bool_], x_new: Singles) -> tuple[Floats, Floats]:
        """Return mean predictions of rows by the trees that `may` predict them, and of new rows by all trees.

        Parameters
        ----------
        x, x_new : ndarray of float32, shape (row, feature)
        may : ndarray of bool, shape (tree, row)
            A row that no tree may predict is NaN.
        """
        both = np.concatenate([x, x_new])
        total, new = np.zeros(len(x)), np.zeros(len(x_new))
        for tree, allowed in zip(self.trees, may, strict=True):
            found = tree.tree_.predict(both)[:, 0]
            total += np.where(allowed, found[: len(x)], 0)
            new += found[len(x) :]
        count = may.sum(axis=0)
        return np.divide(total, count, out=np.full(len(x), np.nan), where=count > 0), new / len(self.trees)


def grow(x: Singles, y: Floats, weight: NDArray[Any], seed: int, settings: Mapping[str, Any]) -> Forest:
    """Fit one tree per row of `weight`.

    Parameters
    ----------
    x : ndarray of float32, shape (row, feature), finite
    weight : ndarray, shape (tree, row)
        A row of weight 0 is not seen.
    settings : mapping
        Of `sklearn.tree.DecisionTreeRegressor`.
    """
    state = check_random_state(seed)
    trees = []
    with config_context(skip_parameter_validation=True, assume_finite=True):  # half the time of a small tree
        for each in weight.astype(float):
            seen = np.flatnonzero(each)
            tree = DecisionTreeRegressor(random_state=state, **settings)
            trees.append(tree.fit(x[seen], y[seen], sample_weight=each[seen], check_input=False))
    return Forest(trees)

"""The smallest honest analysis of a study: nested ridge out of fold, then one paired test of "best" against 30 s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.bench.study_pool import Floats, Persons

ALPHAS = np.logspace(-2, 4, 13)  # in units of the mean squared length of a row
INTERCEPT = 1e3  # squared value of the constant column: large, so that it is not shrunk


@dataclass(frozen=True, slots=True)
class Fit:
    """A ridge in its dual form, with the penalty that leaves out whole groups best."""

    weights: Floats
    mean: Floats
    scale: Floats
    error: float  # mean squared error of persons whose group was left out

    def predict(self, x: Floats) -> Floats:
        return _design(x, self.mean, self.scale) @ self.weights


def _design(x: Floats, mean: Floats, scale: Floats) -> Floats:
    z = np.where(scale > 0, (x - mean) / np.where(scale > 0, scale, 1), 0.0) / np.sqrt(max(x.shape[1], 1))
    return np.column_stack([z, np.full(len(x), np.sqrt(INTERCEPT))])


def fit_ridge(x: Floats, y: Floats, group: NDArray[np.int64]) -> Fit:
    mean, scale = x.mean(0), x.std(0)
    z = _design(x, mean, scale)
    values, vectors = np.linalg.eigh(z @ z.T)
    turned = vectors.T @ y
    families = [np.flatnonzero(group == g) for g in np.flatnonzero(np.bincount(group) > 1)]
    errors = []
    for alpha in ALPHAS:
        weight = 1 / (np.maximum(values, 0) + alpha)
        out = vectors @ (weight * turned)
        left_out = out / ((vectors**2) @ weight)
        for f in families:
            block = (vectors[f] * weight) @ vectors[f].T
            left_out[f] = np.linalg.solve(block, out[f])
        errors.append(np.mean(left_out**2))
    best = int(np.argmin(errors))
    dual = vectors @ (turned / (np.maximum(values, 0) + ALPHAS[best]))
    return Fit(z.T @ dual, mean, scale, float(errors[best]))


def fold_of(group: NDArray[np.int64], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a fold per person; groups stay whole."""
    return (rng.permutation(group.max() + 1) % folds)[group]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Predictions of each person by models that saw none of the group, and of new persons by the same models.

    predictions : dict of str to ndarray, shape (repeat, person)
    new : dict of str to ndarray, shape (repeat, fold, new person)
    """

    y: Floats
    group: NDArray[np.int64]
    predictions: dict[str, Floats]
    new: dict[str, Floats]
    chosen: list[str]


def out_of_fold(
    study: Persons,
    target: str,
    pairs: dict[str, Sequence[str]],
    *,
    new: Persons | None = None,
    folds: int = 5,
    repeats: int = 3,
    rng: np.random.Generator,
) -> OutOfFold:
    """Cross-validate; each of `pairs` chooses its features among several inside the training part."""
    y, group = study.about[target].to_numpy(float), study.group
    found = {name: np.zeros((repeats, len(y))) for name in pairs}
    fresh = {name: np.zeros((repeats, folds, len(new.about) if new else 0)) for name in pairs}
    chosen = []
    for repeat in range(repeats):
        fold = fold_of(group, folds, rng)
        for k in range(folds):
            train, test = fold != k, fold == k
            _, compact = np.unique(group[train], return_inverse=True)
            fits = {
                c: fit_ridge(study.x[c][train], y[train], compact)
                for c in dict.fromkeys(sum(map(list, pairs.values()), []))
            }
            for name, options in pairs.items():
                best = min(options, key=lambda c: fits[c].error)
                found[name][repeat, test] = fits[best].predict(study.x[best][test])
                if new:
                    fresh[name][repeat, k] = fits[best].predict(new.x[best])
                if len(options) > 1:
                    chosen.append(best)
    return OutOfFold(y, group, found, fresh, chosen)

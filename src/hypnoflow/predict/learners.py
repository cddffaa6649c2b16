"""Learners: small scikit-learn pipelines that choose their own settings inside the training part they are given.

Each predicts under a whole path of settings at once (penalties, numbers of trees), so that choosing among them costs
no further fit. Whatever is learned from features (medians, scales, which columns are constant) is a step of the
pipeline, fitted on training persons only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline

from hypnoflow.config.predict import Predict
from hypnoflow.stats.logistic import logistic
from hypnoflow.stats.trees import bootstrap_of_groups, grow

Floats = NDArray[np.float64]

MOST_SD = 5.0  # scaled features are clipped here, so that one odd night cannot carry a prediction far away
RIDGE = 10.0 ** np.arange(3, -2.1, -0.5)  # penalty per person, strongest first
LOGISTIC = 10.0 ** np.arange(1, -3.1, -1)
BOOSTED_TREES = (5, 10, 20, 40, 80)
LEAVES = (10, 3)  # least persons in a leaf of a forest


@dataclass(frozen=True, slots=True)
class Training:
    """The training part of one outer fold.

    y : ndarray, shape (person,)
    group : ndarray of int, shape (person,)
        Family.
    inner : ndarray of int, shape (person,)
        Inner fold; a family is in one.
    seed : int
        Of the learners that draw.
    """

    y: Floats
    group: NDArray[np.int64]
    inner: NDArray[np.int64]
    is_class: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What a learner predicts under the setting that it chose.

    inner : ndarray, shape (training person,)
        By models that never saw the person.
    new : ndarray, shape (new person,)
        By the model of all training persons. A class has the probability of class 1, not yet calibrated.
    """

    inner: Floats
    new: Floats


Learner = Callable[[Training, Floats, Floats, Predict], Scores]


def squared(prediction: Floats, y: Floats) -> Floats:
    """Return the squared error of each person, shape (person, column); the mean of a class's is the Brier score."""
    return np.square(prediction - y[:, None])


def standard_error(values: Floats, group: NDArray[np.int64]) -> Floats:
    """Return the standard error of the mean of each column over persons, those of a family taken together."""
    deviation = np.nan_to_num(values - np.nanmean(values, axis=0))
    sums = np.zeros((int(group.max()) + 1, values.shape[1]))
    np.add.at(sums, group, deviation)
    return np.sqrt(np.square(sums).sum(axis=0)) / len(values)


def simplest(inner: Floats, training: Training) -> int:
    """Return the first of settings, the simplest first, whose error is within one standard error of the least.

    Breiman et al. 1984, *Classification and Regression Trees*, section 3.4.3, with the standard error of the paired
    difference.

    Parameters
    ----------
    inner : ndarray, shape (person, setting)
        Predictions by models that never saw the person.
    """
    error = squared(inner, training.y)
    extra = error - error[:, [int(np.argmin(np.nanmean(error, axis=0)))]]
    return int(np.argmax(np.nanmean(extra, axis=0) <= standard_error(extra, training.group)))


class Prepare(TransformerMixin, BaseEstimator):
    """Median for what is undefined, constant columns out, mean 0 and SD 1, clipped."""

    def fit(self, x: Floats, y: Any = None) -> Prepare:
        x = _undefined_as_nan(x)
        self.median_ = _median(x)
        x = np.where(np.isnan(x), self.median_, x)
        spread = x.std(axis=0)
        with np.errstate(invalid="ignore"):
            self.used_ = np.ptp(x, axis=0) > 1e-9 * np.abs(x).max(axis=0)  # False for a column that is all NaN
        self.mean_, self.sd_ = x.mean(axis=0), np.where(self.used_, spread, 1.0)
        return self

    def transform(self, x: Floats) -> Floats:
        x = _undefined_as_nan(x)
        x = (np.where(np.isnan(x), self.median_, x) - self.mean_) / self.sd_
        return np.clip(x[:, self.used_], -MOST_SD, MOST_SD)


def _undefined_as_nan(x: Floats) -> Floats:
    return np.where(np.isfinite(x), x, np.nan)


def _median(x: Floats) -> Floats:
    """Return the median of each column's known values, NaN where there is none (numpy's nanmedian, much faster)."""
    ordered = np.sort(x, axis=0)  # NaN last
    known = (~np.isnan(x)).sum(axis=0)
    columns = np.arange(x.shape[1])
    low, high = ordered[np.maximum(known - 1, 0) // 2, columns], ordered[np.minimum(known // 2, len(x) - 1), columns]
    return (low + high) / 2


class Path(BaseEstimator):
    """A model under several settings at once; the training mean where there is nothing to learn from or to learn."""

    settings = 1

    def fit(self, x: Floats, y: Floats) -> Path:
        self.mean_ = float(y.mean())
        self.fitted_ = x.shape[1] > 0 and len(np.unique(y)) > 1
        if self.fitted_:
            self._fit(x, y)
        return self

    def predict(self, x: Floats) -> Floats:
        """Return predictions, or probabilities of class 1, shape (person, setting)."""
        return self._predict(x) if self.fitted_ else np.full((len(x), self.settings), self.mean_)

    def _fit(self, x: Floats, y: Floats) -> None:
        raise NotImplementedError

    def _predict(self, x: Floats) -> Floats:
        raise NotImplementedError


class RidgePath(Path):
    """Ridge regression under every penalty, from one decomposition (Hastie et al. 2009, section 3.4.1)."""

    settings = len(RIDGE)

    def _fit(self, x: Floats, y: Floats) -> None:
        self.centre_ = x.mean(axis=0)
        components, basis = principal_components(x - self.centre_)
        covariance, power = components.T @ (y - self.mean_), np.square(components).sum(axis=0)
        self.coefficient_ = basis @ (covariance[:, None] / (power[:, None] + len(y) * RIDGE))

    def _predict(self, x: Floats) -> Floats:
        return self.mean_ + (x - self.centre_) @ self.coefficient_


class LogisticPath(Path):
    """Logistic regression under every L2 penalty.

    The penalty does not change under rotation, so that it is fitted on the principal components: never more than there
    are persons.
    """

    settings = len(LOGISTIC)

    def _fit(self, x: Floats, y: Floats) -> None:
        self.centre_ = x.mean(axis=0)
        components, basis = principal_components(x - self.centre_)
        fitted = logistic(components, y, LOGISTIC)
        self.intercept_, self.coefficient_ = fitted[0], basis @ fitted[1:]

    def _predict(self, x: Floats) -> Floats:
        return expit(self.intercept_ + (x - self.centre_) @ self.coefficient_)


def principal_components(x: Floats) -> tuple[Floats, Floats]:
    """Return components, shape (person, component), and basis, shape (feature, component); x = components @ basis.T.

    By the eigenvectors of the smaller of the two Gram matrices, half the time of a singular value decomposition.
    """
    n, p = x.shape
    power, vectors = np.linalg.eigh(x @ x.T if n < p else x.T @ x)
    kept = power > 1e-10 * power[-1]
    vectors, size = vectors[:, kept], np.sqrt(power[kept])
    return (vectors * size, x.T @ (vectors / size)) if n < p else (x @ vectors, vectors)


class BoostedPath(Path):
    """Histogram gradient boosting with shallow trees, after each of `BOOSTED_TREES`."""

    settings = len(BOOSTED_TREES)

    def __init__(self, is_class: bool = False):
        self.is_class = is_class

    def _fit(self, x: Floats, y: Floats) -> None:
        kind = HistGradientBoostingClassifier if self.is_class else HistGradientBoostingRegressor
        self.model_ = kind(
            max_iter=BOOSTED_TREES[-1],
            max_leaf_nodes=4,
            min_samples_leaf=5,
            l2_regularization=1.0,
            max_bins=32,
            early_stopping=False,
            random_state=0,  # nothing is drawn: every row and column is used
        ).fit(x, y)

    def _predict(self, x: Floats) -> Floats:
        if self.is_class:
            stages = [p[:, 1] for p in self.model_.staged_predict_proba(x)]
        else:
            stages = list(self.model_.staged_predict(x))
        return np.stack([stages[n - 1] for n in BOOSTED_TREES], axis=1)


def linear(training: Training, x: Floats, x_new: Floats, options: Predict) -> Scores:
    """Predict by a linear model, its penalty chosen by the inner folds."""
    path = LogisticPath() if training.is_class else RidgePath()
    return by_inner_folds(make_pipeline(Prepare(), path), training, x, x_new)


def boosted(training: Training, x: Floats, x_new: Floats, options: Predict) -> Scores:
    """Predict by gradient boosting, its number of trees chosen by the inner folds."""
    return by_inner_folds(make_pipeline(Prepare(), BoostedPath(training.is_class)), training, x, x_new)


def by_inner_folds(model: Pipeline, training: Training, x: Floats, x_new: Floats) -> Scores:
    """Fit `model` in each inner fold, choose a setting by the errors there, and fit all training persons."""
    inner = np.empty((len(x), model.steps[-1][1].settings))
    for fold in np.unique(training.inner):
        test = training.inner == fold
        inner[test] = model.fit(x[~test], training.y[~test]).predict(x[test])
    best = simplest(inner, training)
    return Scores(inner[:, best], model.fit(x, training.y).predict(x_new)[:, best])


def forest(training: Training, x: Floats, x_new: Floats, options: Predict) -> Scores:
    """Predict by a random forest whose trees are drawn by family.

    Each tree sees a bootstrap of families, all persons of a family as often as it was drawn. A training person's inner
    prediction is that of the trees that never saw the family (out of bag), so that choosing the size of the leaves
    needs no inner folds. Trees of a class are those of a number: the Gini index of two classes is twice the variance.
    """
    prepare = Prepare().fit(x)
    if not prepare.used_.any() or len(np.unique(training.y)) < 2:
        return Scores(np.full(len(x), training.y.mean()), np.full(len(x_new), training.y.mean()))
    seen, new = (prepare.transform(part).astype(np.float32) for part in (x, x_new))
    rng = np.random.default_rng(training.seed)
    drawn = bootstrap_of_groups(training.group, options.trees, rng)
    settings = [{"min_samples_leaf": leaf, "max_features": "sqrt"} for leaf in LEAVES]
    states = rng.integers(2**31, size=len(settings))
    fitted = [grow(seen, training.y, drawn, int(state), each) for state, each in zip(states, settings, strict=True)]
    found = [trees.predict(seen, drawn == 0, new) for trees in fitted]
    best = simplest(np.stack([inner for inner, _ in found], axis=1), training)
    return Scores(*found[best])


LEARNERS: dict[str, Learner] = {"linear": linear, "forest": forest, "boosted": boosted}

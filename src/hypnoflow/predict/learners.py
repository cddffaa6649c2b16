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

from hypnoflow.config import Predict
from hypnoflow.predict._logistic import logistic
from hypnoflow.predict.trees import bootstrap_of_groups, grow

Floats = NDArray[np.float64]

MOST_SD = 5.0  # scaled features are clipped here, so that one odd night cannot carry a prediction far away
RIDGE = 10.0 ** np.arange(3, -2.1, -0.5)  # penalty per person, strongest first: it wins a tie
LOGISTIC = 10.0 ** np.arange(1.5, -3.1, -0.75)
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


def loss(prediction: Floats, y: Floats) -> Floats:
    """Return the mean squared error of each column; of a class, the Brier score."""
    return np.nanmean(np.square(prediction - y[:, None]), axis=0)


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


class RidgePath(BaseEstimator):
    """Ridge regression under every penalty, from one singular value decomposition (Hastie et al. 2009, 3.4.1)."""

    def fit(self, x: Floats, y: Floats) -> RidgePath:
        self.centre_, self.mean_ = x.mean(axis=0), y.mean()
        u, s, vt = np.linalg.svd(x - self.centre_, full_matrices=False)
        shrunk = s[:, None] / (np.square(s)[:, None] + len(y) * RIDGE)  # (component, setting)
        self.coefficient_ = vt.T @ (shrunk * (u.T @ (y - self.mean_))[:, None])
        return self

    def predict(self, x: Floats) -> Floats:
        """Return predictions, shape (person, setting)."""
        return self.mean_ + (x - self.centre_) @ self.coefficient_


class LogisticPath(BaseEstimator):
    """Logistic regression under every L2 penalty.

    The penalty does not change under rotation, so that it is fitted on the principal components: never more than there
    are persons.
    """

    def fit(self, x: Floats, y: Floats) -> LogisticPath:
        self.centre_ = x.mean(axis=0)
        u, s, self.basis_ = np.linalg.svd(x - self.centre_, full_matrices=False)
        self.coefficient_ = logistic(u * s, y, LOGISTIC)
        return self

    def predict(self, x: Floats) -> Floats:
        """Return probabilities of class 1, shape (person, setting)."""
        components = (x - self.centre_) @ self.basis_.T
        return expit(self.coefficient_[0] + components @ self.coefficient_[1:])


class BoostedPath(BaseEstimator):
    """Histogram gradient boosting with shallow trees, after each of `BOOSTED_TREES`."""

    def __init__(self, is_class: bool = False):
        self.is_class = is_class

    def fit(self, x: Floats, y: Floats) -> BoostedPath:
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
        return self

    def predict(self, x: Floats) -> Floats:
        """Return predictions or probabilities of class 1, shape (person, setting)."""
        if self.is_class:
            stages = [p[:, 1] for p in self.model_.staged_predict_proba(x)]
        else:
            stages = list(self.model_.staged_predict(x))
        return np.stack([stages[n - 1] for n in BOOSTED_TREES], axis=1)


def linear(training: Training, x: Floats, x_new: Floats, options: Predict) -> Scores:
    """Predict by a linear model, its penalty chosen by the inner folds."""
    return _by_inner_folds(make_pipeline(Prepare(), LogisticPath() if training.is_class else RidgePath()), training)(
        x, x_new
    )


def boosted(training: Training, x: Floats, x_new: Floats, options: Predict) -> Scores:
    """Predict by gradient boosting, its number of trees chosen by the inner folds."""
    return _by_inner_folds(make_pipeline(Prepare(), BoostedPath(training.is_class)), training)(x, x_new)


def _by_inner_folds(model: Pipeline, training: Training) -> Callable[[Floats, Floats], Scores]:
    """Return a function that fits `model` in each inner fold, chooses a setting, and fits all training persons."""

    def run(x: Floats, x_new: Floats) -> Scores:
        inner = np.empty((0, 0))
        for fold in np.unique(training.inner):
            test = training.inner == fold
            found = _fit_predict(model, x[~test], training.y[~test], x[test], training.is_class)
            if not inner.size:
                inner = np.empty((len(x), found.shape[1]))
            inner[test] = found
        best = int(np.argmin(loss(inner, training.y)))
        new = _fit_predict(model, x, training.y, x_new, training.is_class)
        return Scores(inner[:, best], new[:, best])

    return run


def _fit_predict(model: Pipeline, x: Floats, y: Floats, x_new: Floats, is_class: bool) -> Floats:
    """Return predictions, shape (new person, setting); the training mean where there is nothing to learn from."""
    prepare, path = model.steps[0][1], model.steps[1][1]
    settings = len(BOOSTED_TREES if isinstance(path, BoostedPath) else LOGISTIC if is_class else RIDGE)
    one_value = len(np.unique(y)) < 2
    if one_value or not prepare.fit(x).used_.any():
        return np.full((len(x_new), settings), y.mean())
    return model.fit(x, y).predict(x_new)


def forest(training: Training, x: Floats, x_new: Floats, options: Predict) -> Scores:
    """Predict by a random forest whose trees are drawn by family.

    Each tree sees a bootstrap of families, all persons of a family as often as it was drawn. A training person's inner
    prediction is that of the trees that never saw the family (out of bag), so that choosing the size of the leaves
    needs no inner folds. Trees of a class are those of a number: the Gini index of two classes is twice the variance.
    """
    prepare = Prepare().fit(x)
    if not prepare.used_.any() or len(np.unique(training.y)) < 2:
        return Scores(np.full(len(x), training.y.mean()), np.full(len(x_new), training.y.mean()))
    x, x_new = prepare.transform(x).astype(np.float32), prepare.transform(x_new).astype(np.float32)
    rng = np.random.default_rng(training.seed)
    drawn = bootstrap_of_groups(training.group, options.trees, rng)
    settings = [{"min_samples_leaf": leaf, "max_features": "sqrt"} for leaf in LEAVES]
    seeds = rng.integers(2**31, size=options.trees)
    found = [grow(x, training.y, drawn, seeds, each).predict(x, drawn == 0, x_new) for each in settings]
    best = int(np.argmin(loss(np.stack([inner for inner, _ in found], axis=1), training.y)))
    return Scores(*found[best])


LEARNERS: dict[str, Learner] = {"linear": linear, "forest": forest, "boosted": boosted}

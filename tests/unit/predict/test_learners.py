"""Learners against scikit-learn, on bad columns, and that they learn from training persons only."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from hypnoflow.config.predict import Predict
from hypnoflow.predict.learners import (
    LEARNERS,
    LOGISTIC,
    MOST_SD,
    RIDGE,
    LogisticPath,
    Prepare,
    RidgePath,
    Training,
    principal_components,
)
from hypnoflow.stats.folds import grouped_folds

OPTIONS = Predict(trees=40)


def training(y: np.ndarray, group: np.ndarray | None = None, folds: int = 5) -> Training:
    group = np.arange(len(y)) if group is None else group
    is_class = bool(np.isin(y, (0, 1)).all())
    return Training(y, group, grouped_folds(y, group, folds, np.random.default_rng(1)), is_class, seed=3)


def data(is_class: bool = False, n: int = 60, p: int = 90, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Persons of whom the first five features know something."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal(n)
    x = rng.standard_normal((n, p)) + np.where(np.arange(p) < 5, 1.5, 0) * latent[:, None]
    return x, (latent > 0).astype(float) if is_class else 50 + 10 * latent


@pytest.mark.parametrize("p", [4, 90])
def test_ridge_is_scikit_learns_at_every_penalty(p):
    x, y = data(p=p)
    found = RidgePath().fit(x, y).predict(x[:7] + 0.1)
    for column, penalty in zip(found.T, RIDGE, strict=True):
        assert column == pytest.approx(Ridge(len(y) * penalty).fit(x, y).predict(x[:7] + 0.1), rel=1e-6)


@pytest.mark.parametrize("p", [4, 90])
def test_logistic_is_scikit_learns_at_every_penalty(p):
    x, y = data(True, p=p)
    found = LogisticPath().fit(x, y).predict(x[:7] + 0.1)
    for column, penalty in zip(found.T, LOGISTIC, strict=True):
        model = LogisticRegression(C=1 / (len(y) * penalty), tol=1e-8, max_iter=5000).fit(x, y)
        assert column == pytest.approx(model.predict_proba(x[:7] + 0.1)[:, 1], abs=2e-3)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_components_rebuild_the_features_and_drop_what_is_redundant(shape):
    x = np.random.default_rng(1).standard_normal(shape)
    x[:, -1] = x[:, 0]
    components, basis = principal_components(x)
    assert np.allclose(components @ basis.T, x)
    assert np.allclose(basis.T @ basis, np.eye(basis.shape[1]))
    assert basis.shape[1] == min(8, 7 if shape[1] == 8 else 8)


def test_prepared_features_have_mean_zero_sd_one_and_no_column_that_says_nothing():
    rng = np.random.default_rng(1)
    x = np.c_[rng.normal(5, 3, 50), np.full(50, 7.0), np.full(50, np.nan), np.r_[np.nan, np.full(49, 2.0)]]
    prepare = Prepare().fit(x)
    assert prepare.used_.tolist() == [True, False, False, False]
    found = prepare.transform(x)
    assert found.mean() == pytest.approx(0, abs=1e-12)
    assert found.std() == pytest.approx(1)


def test_undefined_and_infinite_values_take_the_training_median():
    x = np.array([[1.0], [2.0], [4.0], [np.nan], [9.0]])
    prepare = Prepare().fit(x)
    assert prepare.median_ == [3.0]
    at_median, undefined, infinite = prepare.transform(np.array([[3.0], [np.nan], [np.inf]]))[:, 0]
    assert at_median == undefined == infinite


def test_median_is_numpys():
    x = np.random.default_rng(2).standard_normal((31, 40))
    x[np.random.default_rng(3).random(x.shape) < 0.3] = np.nan
    assert np.allclose(Prepare().fit(x).median_, np.nanmedian(x, axis=0))


def test_one_odd_night_is_clipped():
    x = np.random.default_rng(1).standard_normal((40, 1))
    assert Prepare().fit(x).transform(np.array([[1e9]])) == MOST_SD


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("is_class", [False, True])
def test_learner_finds_what_is_there(name, is_class):
    x, y = data(is_class, n=120, p=20)
    found = LEARNERS[name](training(y[:80]), x[:80], x[80:], OPTIONS)
    for prediction, true in ((found.inner, y[:80]), (found.new, y[80:])):
        assert np.mean((prediction - true) ** 2) < 0.7 * np.var(true)
    if is_class:
        assert 0 <= found.new.min() <= found.new.max() <= 1


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("is_class", [False, True])
def test_constant_and_empty_columns_change_nothing(name, is_class):
    x, y = data(is_class, p=6)
    more = np.c_[x, np.full(len(x), 4.0), np.full(len(x), np.nan)]
    one, two = (LEARNERS[name](training(y[:40]), part[:40], part[40:], OPTIONS) for part in (x, more))
    assert np.array_equal(one.new, two.new)
    assert np.array_equal(one.inner, two.inner)


@pytest.mark.parametrize("name", LEARNERS)
def test_features_that_say_nothing_at_all_give_the_training_mean(name):
    _, y = data(n=40)
    x = np.full((45, 3), np.nan)
    x[:, 0] = 1
    found = LEARNERS[name](training(y), x[:40], x[40:], OPTIONS)
    assert found.new == pytest.approx(np.full(5, y.mean()))


@pytest.mark.parametrize("name", LEARNERS)
def test_a_class_with_one_person_is_fitted_all_the_same(name):
    x, _ = data(n=45, p=6)
    y = (np.arange(40) == 7).astype(float)
    found = LEARNERS[name](training(y), x[:40], x[40:], OPTIONS)  # one inner training part lacks the class
    assert np.isfinite(found.new).all()
    assert found.new.max() <= 1


@pytest.mark.parametrize("name", LEARNERS)
def test_new_persons_do_not_influence_each_other(name):
    """Scaling, medians and choices come from the training persons alone."""
    x, y = data()
    fit = training(y[:40])
    changed = x[40:].copy()
    changed[1:] *= 1000
    one, two = (LEARNERS[name](fit, x[:40], new, OPTIONS).new for new in (x[40:], changed))
    assert one[0] == two[0]
    assert not np.allclose(one[1:], two[1:])


@pytest.mark.parametrize("name", LEARNERS)
def test_inner_predictions_are_by_models_that_never_saw_the_family(name):
    """A feature that names the family would tell a model that saw the siblings their age."""
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(20), 4)
    y = rng.uniform(20, 80, 20)[group]
    x = (group[:, None] == np.arange(20)).astype(float)
    found = LEARNERS[name](training(y, group), x, x, Predict(trees=100))
    assert np.mean((found.inner - y) ** 2) > 0.9 * np.var(y)


def test_penalty_is_strong_where_there_is_nothing_to_learn():
    x = np.random.default_rng(6).standard_normal((80, 120))
    _, y = data(n=80)
    found = LEARNERS["linear"](training(y), x, x, OPTIONS)
    assert np.std(found.new) < 0.5 * np.std(y)  # an unpenalised fit with more features than persons would equal y

"""A short version of the bench of studies: an effect below 30 s is found, one that is not there is not claimed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench.study_analysis import PENALTIES, Rule, analyse, folds_of, ridge_path
from tests.bench.study_pool import Persons, draw_pool, shuffled, split_pool

from hypnoflow.config import Effects
from hypnoflow.seeds import generator
from hypnoflow.simulate.persons import Population
from hypnoflow.simulate.study import Design, Site

SHORT = Design(night_h=(2.5, 3.0), repeat_persons=0.1, resolutions=(1, 4, 64))
MICRO = Effects(age="micro", sex="none", apnea="none")


@pytest.fixture(scope="module")
def pool() -> Persons:
    young_and_old = Population((20, 80), 0.5, 6.0, 0.8)
    return draw_pool([Site("a", 70, young_and_old), Site("b", 70, young_and_old)], MICRO, SHORT, seed=7)


def test_an_effect_below_30_s_is_found(pool: Persons) -> None:
    found = analyse(pool, "age", rng=generator(7, "study"))
    assert found["better"] and found["high"] < 0


def test_no_effect_is_not_claimed(pool: Persons) -> None:
    claims = rejects = covered = 0
    for k in range(20):
        rng = generator(7, "null", k)
        study, new = split_pool(shuffled(pool, "age", rng), 80, rng)
        found = analyse(study, "age", Rule(fixed="64", repeats=1), new=new, rng=rng)
        claims, rejects = claims + found["better"], rejects + (found["p"] <= 0.05)
        covered += found["low"] <= found["true"] <= found["high"]
    assert claims <= 1 and rejects <= 3  # more than 3 of 20 at 5 %: 1.6 %
    assert covered >= 17  # fewer of 20 at 95 %: 1.6 %


def test_families_are_never_split(pool: Persons) -> None:
    rng = generator(7, "folds")
    fold = folds_of(pool.about["age"].to_numpy(float), pool.group, rng)
    assert all(len(set(fold[pool.group == g])) == 1 for g in np.unique(pool.group))
    study, rest = split_pool(pool, 80, rng)
    assert 80 <= len(study.about) <= 84 and not set(study.about["group"]) & set(rest.about["group"])


def test_shuffling_keeps_families_alike(pool: Persons) -> None:
    mixed = shuffled(pool, "age", generator(7, "shuffle"))
    sizes = pool.about["group"].map(pool.about["group"].value_counts())
    for about in (pool.about, mixed.about):
        within = about[sizes > 1].groupby("group")["age"].std().mean()
        assert within < 0.5 * about["age"].std()
    assert sorted(mixed.about["age"]) == sorted(pool.about["age"])
    assert np.corrcoef(mixed.about["age"], pool.about["age"])[0, 1] < 0.25


def test_left_out_errors_are_those_of_refitting_without_the_group() -> None:
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(30, 8)), np.repeat(np.arange(20), [2] * 10 + [1] * 10)
    y = x[:, 0] + 50 + rng.normal(size=30)
    path = ridge_path(x, y, group)
    k = len(PENALTIES) // 2
    z = np.column_stack([(x - path.mean) / path.scale / np.sqrt(8), np.full(30, np.sqrt(1e3))])
    for g in (0, 15):
        kept = group != g
        normal = z[kept].T @ z[kept] + PENALTIES[k] * np.eye(9)
        weights = np.linalg.solve(normal, z[kept].T @ y[kept])
        np.testing.assert_allclose(path.left_out[~kept, k], (z[~kept] @ weights - y[~kept]) ** 2, rtol=1e-6)

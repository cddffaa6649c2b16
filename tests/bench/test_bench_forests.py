"""The published forest protocol against its out-of-bag variant, and the cost of a nested cross-validation.

126 nights of 118 persons in blocks of 90 min, as many as the paper's ISRUC set with its second nights; counts of
triplets are Poisson with rates that change with age and differ between persons. Both protocols run `FORESTS` of the 50
forests, all persons, 200 trees: either one's time is proportional to the number of forests, so that the ratio is that
of all 50. Times are CPU times of one process.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from hypnoflow.config.compare import Comparison
from hypnoflow.config.predict import Forests, Predict
from hypnoflow.predict.forests import Blocks, forest_errors, out_of_bag, published
from hypnoflow.predict.persons import People
from hypnoflow.predict.targets import TARGETS
from hypnoflow.predict.validate import out_of_fold
from hypnoflow.types import RESOLUTIONS

PERSONS, TWICE, TRIPLETS, FORESTS = 118, 8, 80, 2
RESAMPLES = 2000


def seconds(work):
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def isruc_like(seed: int = 1) -> Blocks:
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 85, PERSONS)
    nights = np.r_[np.arange(PERSONS), np.arange(TWICE)]
    who = np.repeat(nights, rng.integers(4, 7, len(nights)))  # blocks of a night
    slope = np.where(np.arange(TRIPLETS) < 12, 0.35, 0.0)
    level = rng.normal(0.5, 1, TRIPLETS) + 0.5 * rng.standard_normal((PERSONS, TRIPLETS))
    rate = np.exp(level + slope * (age[:, None] - 52) / 19)
    names = np.array([f"p{k:03d}" for k in range(PERSONS)])
    return Blocks(rng.poisson(rate[who]).astype(float), age[who], names[who], names[who], False)


def drawn_errors(tables: list[pd.DataFrame], y: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """Mean RMSE over forests of each table under resampled persons, shape (resample, table)."""
    square = [t.pivot(index="forest", columns="person", values="prediction").sub(y, axis=1) ** 2 for t in tables]
    weight = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), RESAMPLES) / len(y)
    return np.stack([np.sqrt(weight @ s.to_numpy().T).mean(1) for s in square], axis=1)


def test_out_of_bag_forests_against_the_published_protocol():
    blocks, options = isruc_like(), Forests(forests=FORESTS, trees=200)
    y = pd.Series(blocks.y, blocks.person).groupby(level=0).first()
    slow, theirs = seconds(lambda: published(blocks, options, seed=1))
    fast, ours = seconds(lambda: out_of_bag(blocks, options, seed=1))
    rmse = [forest_errors(table, y, False).mean() for table in (theirs, ours)]
    drawn = drawn_errors([theirs, ours], y, np.random.default_rng(2))
    low, high = np.quantile(drawn[:, 0], [0.025, 0.975])
    low_d, high_d = np.quantile(drawn[:, 1] - drawn[:, 0], [0.025, 0.975])
    print(f"\n{PERSONS + TWICE} nights, {PERSONS} persons, {len(blocks.y)} blocks, {FORESTS} of 50 forests, 200 trees:")
    print(f"refitted without each person: {slow:.1f} s, RMSE {rmse[0]:.2f} years [{low:.2f}, {high:.2f}]")
    print(f"out of bag: {fast:.2f} s, RMSE {rmse[1]:.2f} years; training mean {y.std():.2f}")
    print(f"difference {rmse[1] - rmse[0]:+.2f} [{low_d:+.2f}, {high_d:+.2f}] (persons resampled in pairs)")
    print(
        f"{slow / fast:.0f} times less time; 50 forests at 14 resolutions: {slow / FORESTS * 700 / 3600:.1f} h", end=""
    )
    print(f" against {fast / FORESTS * 700 / 60:.0f} min")
    assert low < rmse[1] < high
    assert rmse[0] < y.std()  # there is something to agree on
    assert slow / fast >= 20


def people(target: str, n: int = 100, features: int = 150) -> People:
    rng = np.random.default_rng(3)
    latent = rng.standard_normal(n)
    is_class = TARGETS[target].is_class
    names = [f"x/p{k:03d}" for k in range(n)]
    y = (latent > 0).astype(float) if is_class else 50 + 15 * latent
    table = pd.DataFrame({"person": names, "group": names, "cohort": "x", "y": y})
    blocks = {"demographics": rng.standard_normal((n, 2)), "classic": rng.standard_normal((n, 25))}
    blocks |= {str(f): rng.standard_normal((n, features)) + 0.2 * latent[:, None] for f in RESOLUTIONS}
    return People(TARGETS[target], table, blocks)


def test_cost_of_one_nested_cross_validation():
    print("\n100 persons, 14 resolutions, 150 features, 5 x 5 folds, all conditions, s of CPU:")
    spent = {}
    for target in ("age", "sex"):
        for learner in ("linear", "forest"):
            options = Predict(learners=(learner,), compare=Comparison(learner=learner), schemes=("grouped",), repeats=1)
            found = people(target)
            spent[target, learner], table = seconds(lambda p=found, o=options: out_of_fold(p, o, seed=1))
            print(f"{target} by {learner}: {spent[target, learner]:.2f}")
            assert len(table) == 100 * 21
    assert spent["age", "linear"] < spent["age", "forest"]

"""One simulated study through the shipped cross-validation and test, and what its models do in new persons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.config.compare import Comparison, Resampling
from hypnoflow.config.predict import Predict
from hypnoflow.predict.compare import compare_errors
from hypnoflow.predict.losses import BEST, REFERENCE, Asked, OutOfFold, out_of_fold_of
from hypnoflow.predict.persons import People
from hypnoflow.predict.validate import Outer, outer_folds, predict_fold

OPTIONS = Predict(
    learners=("linear",),
    schemes=("grouped",),
    compare=Comparison(resampling=Resampling(bootstrap=1000, permutations=2000)),
)


@dataclass(frozen=True, slots=True)
class Study:
    """Out-of-fold predictions of a study's persons, and the same models' predictions of everybody else.

    new : DataFrame
        Columns condition, repeat, fold, y, prediction.
    """

    found: OutOfFold
    new: pd.DataFrame
    chosen: pd.Series

    def true_difference(self, condition: str) -> float:
        """Return the difference of RMSE to 30 s in new persons, of the models that this study made."""
        loss = (self.new["prediction"] - self.new["y"]).pow(2).groupby(self.new["condition"]).mean()
        return float(np.sqrt(loss[condition]) - np.sqrt(loss[REFERENCE]))


def cross_validate(pool: People, inside: NDArray[np.bool_], *, seed: int, options: Predict = OPTIONS) -> Study:
    """Cross-validate the persons `inside`, shape (person,), as `hypnoflow predict` does; the others are new to it."""
    own = pool.only(pool.table[inside].set_index("person")["y"])
    tables = []
    for outer in outer_folds(own, options, seed):
        test = ~inside
        test[np.flatnonzero(inside)[outer.test]] = True
        everybody = Outer(outer.scheme, outer.repeat, outer.fold, test)
        tables.append(predict_fold(pool, everybody, "linear", options, seed))
    table = pd.concat(tables, ignore_index=True)
    is_own = table["person"].isin(own.table["person"])
    found = out_of_fold_of(table[is_own], Asked("grouped", "linear", pool.target.is_class))
    best = table[table["condition"] == BEST].drop_duplicates(["repeat", "fold"])
    return Study(found, table[~is_own], best["chosen"])


def analyse(study: Study, rng: np.random.Generator, *, condition: str = BEST, corrected: bool = True) -> dict[str, Any]:
    """Compare a condition with 30 s as the primary test does.

    Returns
    -------
    dict
        difference of RMSE, low, high, p, better (claimed at 5 %), true (see `Study`), stayed (share of outer folds
        that kept 30 s), skill (1 - loss / variance).
    """
    found = study.found if corrected else replace(study.found, folds=1)
    row = compare_errors(found, [condition], REFERENCE, OPTIONS.compare, rng).iloc[1]
    return {
        "difference": row["difference"],
        "low": row["difference_low"],
        "high": row["difference_high"],
        "p": row["p"],
        "better": bool(row["p"] <= 0.05 and row["difference"] < 0),
        "true": study.true_difference(condition) if len(study.new) else np.nan,
        "stayed": float((study.chosen == REFERENCE).mean()),
        "skill": 1 - float(np.nanmean(found.losses([condition])) / found.people["y"].var()),
    }

"""Out-of-fold tables made by hand, and a cheap learner behind the `Refit` protocol, for tests of the comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold

from hypnoflow.config.compare import Comparison, Resampling
from hypnoflow.predict.losses import Asked, out_of_fold_of
from hypnoflow.predict.summary import Evidence

FAST = Comparison(resampling=Resampling(bootstrap=500, permutations=1000), curve_draws=2, curve_sizes=3, shuffles=4)


def out_of_fold(y, predictions, *, cohort="x", person=None, group=None, repeats=1, **columns) -> pd.DataFrame:
    """Return a table of the contract: `predictions` maps a condition to one prediction per person."""
    n = len(y)
    person = [f"p{k:04d}" for k in range(n)] if person is None else person
    base = pd.DataFrame({"person": person, "cohort": cohort, "y": np.asarray(y, float)})
    base["group"] = base["person"] if group is None else group
    parts = [
        base.assign(condition=name, prediction=np.asarray(p, float), repeat=repeat)
        for name, p in predictions.items()
        for repeat in range(repeats)
    ]
    defaults = {"target": "age", "scheme": "grouped", "learner": "linear", "fold": 0, "chosen": ""}
    table = pd.concat(parts, ignore_index=True).assign(**(defaults | columns))
    return table.assign(low=table["prediction"] - 10, high=table["prediction"] + 10)


def ridge_refit(features: dict[str, pd.DataFrame], *, is_class: bool = False, folds: int = 5):
    """Return a `Refit`: ridge (or logistic) regression on matrices by condition, indexed by person.

    "best" is the resolution with the smallest error under inner folds of the training persons.
    """

    def fit_predict(x, y, new):
        scale = x.std(0) + 1e-12
        x, new = (x - x.mean(0)) / scale, (new - x.mean(0)) / scale
        if is_class:
            if len(np.unique(y)) < 2:
                return np.full(len(new), y.mean())
            return LogisticRegression(C=0.1).fit(x, y).predict_proba(new)[:, 1]
        return Ridge(10.0).fit(x, y).predict(new)

    def inner_error(x, y, group):
        split = GroupKFold(3).split(x, groups=group)
        return np.mean([np.mean((fit_predict(x[a], y[a], x[b]) - y[b]) ** 2) for a, b in split])

    def refit(people: pd.DataFrame) -> pd.DataFrame:
        y, group = people["y"].to_numpy(float), people["group"].to_numpy(str)
        x = {name: m.loc[people["person"]].to_numpy(float) for name, m in features.items()}
        found = {name: np.full(len(y), np.nan) for name in ("baseline", *x, "best")}
        for a, b in GroupKFold(folds, shuffle=True, random_state=0).split(y, groups=group):
            found["baseline"][b] = y[a].mean()
            for name, values in x.items():
                found[name][b] = fit_predict(values[a], y[a], values[b])
            best = min(x, key=lambda name: inner_error(x[name][a], y[a], group[a]))
            found["best"][b] = found[best][b]
        return out_of_fold(y, found, cohort=people["cohort"].to_numpy(), person=people["person"], group=group)

    return refit


def evidence(slope=1.0, *, n=40, is_class=False, seed=1, with_refit=True) -> Evidence:
    """Persons of four cohorts; "micro" follows the target at the two finest of four resolutions, by `slope`."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"cohort": np.repeat(["abc", "dcsm", "mros", "tiny"], [n, n, n, 3])})
    people["person"] = [f"{c}/p{k:03d}" for k, c in enumerate(people["cohort"])]
    people["group"] = people["person"]
    z = rng.normal(0, 1, len(people))
    people["y"] = (z > 0).astype(float) if is_class else 50 + 15 * z
    tables, matrices = [], {}
    total = 300 + 20 * rng.normal(0, 1, len(people)) - 5 * z
    for f in (1, 4, 16, 128):
        columns = pd.DataFrame(rng.normal(0, 1, (len(people), 5)), columns=["micro", "rate", "bouts", "entropy", "x"])
        columns["micro"] += slope * (f >= 16) * z
        matrices[str(f)] = columns.set_axis(people["person"])
        about = people.drop(columns="y").assign(recording=people["person"], steps_per_epoch=f, tst=total)
        tables.append(pd.concat([about, columns], axis=1))
    refit = ridge_refit(matrices, is_class=is_class)
    classic = ridge_refit({"1": pd.DataFrame({"tst": total}, index=people["person"])}, is_class=is_class)(people)
    classic = classic[classic["condition"] == "1"].assign(condition="classic")
    asked = Asked("grouped", "linear", is_class, "sex" if is_class else "age", "" if is_class else "years")
    table = pd.concat([refit(people), classic], ignore_index=True)
    return Evidence(
        asked,
        {("grouped", "linear"): out_of_fold_of(table, asked)},
        features=pd.concat(tables, ignore_index=True),
        compared=["micro", "rate", "bouts", "entropy", "x"],
        classic=["tst"],
        simulated=True,
        hours=pd.Series(rng.uniform(6, 8.5, len(people)), index=people["person"]),
        refit=refit if with_refit else None,
    )

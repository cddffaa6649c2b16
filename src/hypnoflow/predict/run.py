"""One target: out-of-fold predictions of every person at every resolution, and the comparison with 30 s."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.config import Predict
from hypnoflow.config_compare import Comparison
from hypnoflow.features import features as registry
from hypnoflow.predict.summary import Evidence, compare_target
from hypnoflow.predict.targets import Target, make_target
from hypnoflow.predict.validate import Problem, conditions_of, enough, out_of_fold

COMPARED = ("triplets", "intrusions")  # groups of features that are compared across resolutions
YARDSTICK = "classic"


def predict_target(
    features: pd.DataFrame,
    manifest: pd.DataFrame,
    target: str,
    options: Predict,
    *,
    seed: int,
    threads: int,
    simulated: bool = False,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Predict one target and compare resolutions.

    Parameters
    ----------
    features : DataFrame
        One row per recording and resolution.
    manifest : DataFrame
        Rows of all cohorts, with cohort, recording, person and demographics.
    target : {"age", "sex", "apnea"}

    Returns
    -------
    predictions : DataFrame
        Out-of-fold, one row per person, condition and repeat; empty where there are too few persons.
    summary : dict
        What was compared, on whom, and the table of errors and differences; or ``problem``.
    """
    wanted = make_target(target, manifest, options)
    keys = ["cohort", "recording"]
    known = manifest.assign(y=wanted.y)[[*keys, "y"]].dropna()
    table = features.merge(known, on=keys, validate="many_to_one")
    table = table.sort_values(["steps_per_epoch", *keys], ignore_index=True)
    coarse = table[table["steps_per_epoch"] == 1]
    person = (coarse["cohort"] + "/" + coarse["person"].astype(str)).to_numpy(dtype=str)
    problem = Problem(target, coarse["y"].to_numpy(float), person, wanted.is_class)
    about = _about(wanted, coarse, problem)
    why_not = enough(problem, options.folds)
    if why_not:
        return pd.DataFrame(columns=["person", "target", "condition", "repeat", "y", "prediction"]), {
            **about,
            "problem": why_not,
        }
    compared = [c.name for group in COMPARED for c in registry.get(group).columns]
    yardstick = [c.name for c in registry.get(YARDSTICK).columns]
    conditions = conditions_of(table, compared, yardstick)
    predictions = out_of_fold(problem, conditions, options, seed=seed, threads=threads)
    cohort = predictions["person"].str.partition("/")[0]
    predictions = predictions.assign(cohort=cohort, group=predictions["person"], scheme="grouped", learner="forest")
    predictions["chosen"], predictions["fold"] = "", 0
    evidence = Evidence(
        target, wanted.unit, wanted.is_class, predictions, table, compared, yardstick, simulated=simulated
    )
    summary, _ = compare_target(evidence, Comparison(learner="forest"), seed=seed)
    return predictions, {**about, **summary}


def _about(target: Target, coarse: pd.DataFrame, problem: Problem) -> dict[str, Any]:
    persons = problem.persons
    by_cohort = coarse.groupby("cohort")["person"].nunique()
    seen = coarse.groupby("split")["person"].nunique() if "split" in coarse else pd.Series(dtype=int)
    return {
        "target": target.name,
        "classes": list(target.classes),
        "unit": target.unit,
        "error": target.error_name,
        "persons": len(persons),
        "recordings": len(coarse),
        "persons_by_cohort": {str(k): int(v) for k, v in by_cohort.items()},
        "persons_by_split": {str(k): int(v) for k, v in seen.items()},
        "class_counts": [int(np.sum(persons == c)) for c in (0, 1)] if target.is_class else [],
        "mean": float(persons.mean()) if len(persons) and not target.is_class else None,
    }

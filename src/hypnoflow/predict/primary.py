"""The one primary test of a target: the resolution chosen inside the training folds against 30 s."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hypnoflow.config.compare import Comparison
from hypnoflow.predict.compare import compare_errors
from hypnoflow.predict.losses import BEST, REFERENCE, OutOfFold
from hypnoflow.predict.said import Primary, Tested
from hypnoflow.seeds import generator

BETTER, WORSE, NO_EVIDENCE = "better", "worse", "no evidence of a difference"
TOO_FEW, NOT_MADE = "too few persons", "not made"  # the second: a condition is lacking


def primary_test(found: OutOfFold, options: Comparison, *, seed: int) -> Primary:
    """Compare "best" with "1", two-sided.

    Parameters
    ----------
    found : OutOfFold
        Of the configured learner and scheme.

    Returns
    -------
    dict
        target, unit, measure, learner, scheme, confidence, min_groups, persons, groups, cohorts; error,
        reference_error, difference (negative: best is better) with low and high; p; verdict (better, worse, no
        evidence of a difference, too few persons, not made: the table lacks "best" or "1");
        chosen: share of outer folds in which each resolution was best.
        The test decides the verdict. With fewer groups than `min_groups`, or fewer `cases` (groups of the rarer class)
        than `min_cases`, there is no p and no interval.
    """
    asked = found.asked
    row = best_against_30_s(found, options, generator(seed, "predict", asked.target, "primary"))
    return {
        "target": asked.target,
        "unit": "" if asked.is_class else asked.unit,
        "measure": asked.measure,
        "learner": asked.learner,
        "scheme": asked.scheme,
        "confidence": options.resampling.confidence,
        "min_groups": options.min_groups,
        "min_cases": options.min_cases,
        **row,
        "chosen": chosen_shares(found),
    }


def best_against_30_s(found: OutOfFold, options: Comparison, rng: np.random.Generator) -> Tested:
    """Return the comparison of "best" with "1" and its verdict, for these predictions."""
    if not {BEST, REFERENCE} <= set(found.conditions):
        none: Any = {"persons": 0, "groups": 0, "cohorts": 0, "cases": None, "verdict": NOT_MADE}
        return cast(Tested, none | dict.fromkeys(NUMBERS))
    row = compare_errors(found, [BEST], REFERENCE, options, rng).iloc[1]
    known = ~np.isnan(found.losses([BEST, REFERENCE])).any(axis=1)
    numbers: dict[str, Any] = {
        name: None if pd.isna(row[source]) else float(row[source]) for name, source in NUMBERS.items()
    }
    cases = _smaller_class(found, known) if found.asked.is_class else None
    few = row["groups"] < options.min_groups or (cases is not None and cases < options.min_cases)
    if few:
        numbers |= dict.fromkeys(("low", "high", "p"))
    tested: Any = {
        "persons": int(row["persons"]),
        "groups": int(row["groups"]),
        "cohorts": len(set(found.people["cohort"].to_numpy(str)[known])),
        "cases": cases,
        **numbers,
        "verdict": TOO_FEW if few else verdict(numbers["difference"], numbers["p"], options.resampling.confidence),
    }
    return cast(Tested, tested)


def _smaller_class(found: OutOfFold, known: ArrayLike) -> int:
    """Return the number of groups with a person of the class that fewer of them have."""
    people = found.people[np.asarray(known, bool)]
    return min(len(people.loc[people["y"] == c, ["cohort", "group"]].drop_duplicates()) for c in (0, 1))


NUMBERS = {
    "error": "error",
    "reference_error": "reference_error",
    "difference": "difference",
    "low": "difference_low",
    "high": "difference_high",
    "p": "p",
}


def verdict(difference: float | None, p: float | None, confidence: float) -> str:
    """Return what a two-sided test says of a difference in error; p must lie below 1 - confidence."""
    if difference is None or p is None or p > 1 - confidence - 1e-9 or difference == 0:
        return NO_EVIDENCE
    return BETTER if difference < 0 else WORSE


def chosen_shares(found: OutOfFold) -> dict[str, float]:
    """Return in which share of outer folds each resolution was chosen as the best, coarse first."""
    rows = found.best
    if "chosen" not in rows:
        return {}
    folds = rows[rows["chosen"].notna() & (rows["chosen"].astype(str) != "")]
    shares = folds.drop_duplicates(["repeat", "fold"])["chosen"].astype(str).value_counts(normalize=True)
    return {name: float(shares[name]) for name in sorted(shares.index, key=_as_number)}


def _as_number(name: str) -> tuple[float, str]:
    return (float(name) if name.isdigit() else np.inf, name)

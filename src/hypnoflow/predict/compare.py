"""Errors of all conditions and their paired differences: resolutions with 30 s, and what is added to what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hypnoflow.config.compare import Comparison
from hypnoflow.predict.losses import BEST, REFERENCE, OutOfFold
from hypnoflow.seeds import generator
from hypnoflow.stats.paired import compare_means, holm

# (condition, what it is compared with): is there anything to predict, is it more than the yardsticks, what is added
PAIRS = (
    ("1", "baseline"),
    ("best", "baseline"),
    ("classic", "baseline"),
    ("demographics", "baseline"),
    ("1", "classic"),
    ("best", "classic"),
    ("best", "demographics"),
    ("demographics+classic", "demographics"),
    ("demographics+1", "demographics+classic"),
    ("demographics+best", "demographics+1"),
)


def resolutions_of(found: OutOfFold) -> list[str]:
    """Return the conditions that are a resolution, coarse first."""
    return sorted((name for name in found.conditions if name.isdigit()), key=int)


def compare_all(predicted: Iterable[OutOfFold], options: Comparison, *, seed: int) -> pd.DataFrame:
    """Compare conditions in every scheme and by every learner.

    Returns
    -------
    DataFrame
        The rows of `compare` with scheme and learner.
    """
    parts = []
    for found in predicted:
        asked = found.asked
        rows = compare(found, options, generator(seed, "predict", asked.target, "compare", asked.scheme, asked.learner))
        rows.insert(0, "scheme", asked.scheme)
        rows.insert(1, "learner", asked.learner)
        parts.append(rows)
    return pd.concat([p for p in parts if len(p)], ignore_index=True) if any(map(len, parts)) else pd.DataFrame()


def compare(found: OutOfFold, options: Comparison, rng: np.random.Generator) -> pd.DataFrame:
    """Compare resolutions with 30 s, neighbouring resolutions with each other, and the pairs of `PAIRS`.

    Loss is a person's squared error (a class's: of the probability, so that its mean is the Brier score). Persons are
    paired; families are drawn and flipped together. Intervals and p of differences are
    widened for the training persons that folds share (`OutOfFold.widen`); those of errors are not.

    Returns
    -------
    DataFrame
        One row per comparison: family ("primary", "resolution", "neighbour" or "added"), condition, reference, error
        with low and high, reference_error, difference (negative: `condition` is better) with its interval, p (sign
        flips of the losses), p_holm (over the family), persons, groups. Error is RMSE or Brier score.
    """
    fine = resolutions_of(found)
    known = set(found.conditions)
    added = [pair for pair in PAIRS if known.issuperset(pair)]
    neighbours = list(zip(fine[1:], fine[:-1], strict=True))
    for_fine, for_primary, for_neighbours, for_added = rng.spawn(4)
    parts = []
    if {BEST, REFERENCE} <= known:
        parts.append(_pairs(found, [(BEST, REFERENCE)], options, for_primary).assign(family="primary"))
    if REFERENCE in known and len(fine) > 1:
        parts.append(compare_errors(found, fine, REFERENCE, options, for_fine).assign(family="resolution"))
    for family, pairs, each in (("neighbour", neighbours, for_neighbours), ("added", added, for_added)):
        if pairs:
            parts.append(_pairs(found, pairs, options, each).assign(family=family))
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "family", table.pop("family"))
    return table


def compare_errors(
    found: OutOfFold, conditions: Sequence[str], reference: str, options: Comparison, rng: np.random.Generator
) -> pd.DataFrame:
    """Compare several conditions with one, on the persons whom all of them predicted.

    Returns
    -------
    DataFrame
        As `compare`, without family; the reference's own row has no p. NaN in every number where no person is left.
    """
    names = [reference, *(name for name in conditions if name != reference)]
    paired = found.paired(names)
    if not len(paired.values):
        return pd.DataFrame({"condition": names, "reference": reference, "persons": 0, "groups": 0}).reindex(
            columns=COLUMNS
        )
    table = compare_means(paired, reference, options.resampling, rng, scale=found.asked.scale)
    table = table.rename(columns={"value": "error"}).assign(reference=reference)
    table["reference_error"] = table["error"].iloc[0]
    return table[COLUMNS]


COLUMNS = [
    "condition", "reference", "error", "low", "high", "reference_error", "difference", "difference_low",
    "difference_high", "p", "p_holm", "persons", "groups",
]  # fmt: skip


def _pairs(
    found: OutOfFold, pairs: Sequence[tuple[str, str]], options: Comparison, rng: np.random.Generator
) -> pd.DataFrame:
    """Return one row per pair, each on the persons whom both conditions predicted; Holm's correction over pairs."""
    rows = [
        compare_errors(found, [condition], reference, options, each).iloc[[1]]
        for (condition, reference), each in zip(pairs, rng.spawn(len(pairs)), strict=True)
    ]
    table = pd.concat(rows, ignore_index=True)
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))

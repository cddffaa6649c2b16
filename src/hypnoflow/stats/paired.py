"""Comparisons of conditions on the same persons: paired bootstrap, sign flips, Holm's correction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hypnoflow.config.compare import Resampling

BLOCK = 250  # resamples that are in memory at once
Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]  # weights (resample, unit) → value (resample, condition)


def paired_bootstrap(
    statistic: Statistic,
    n: int,
    *,
    reference: int,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    widen: float = 1.0,
) -> pd.DataFrame:
    """Return each condition's value and its difference to a reference, with percentile bootstrap intervals.

    Units (persons or families) are drawn with replacement, the same draw for every condition, so that differences
    are paired (Efron & Tibshirani 1993, chapter 13).

    Parameters
    ----------
    statistic : callable
        Weights of shape (resample, unit), how often each unit counts, to values of shape (resample, condition).
    n : int
        Units. Of one alone nothing can be said about others: its intervals are NaN.
    reference : int
        Condition that the others are compared with.
    widen : float
        Factor on the intervals of differences, about the difference; see `Paired`.

    Returns
    -------
    DataFrame
        One row per condition: value, low, high, difference, difference_low, difference_high.
    """
    point = statistic(np.ones((1, n)))[0]
    blocks = []
    for start in range(0, resamples, BLOCK):
        size = min(BLOCK, resamples - start)
        blocks.append(statistic(rng.multinomial(n, np.full(n, 1 / n), size=size).astype(float)))
    drawn = np.concatenate(blocks)  # (resample, condition)
    tail = (1 - confidence) / 2
    ends = (tail, 1 - tail)
    low, high = np.quantile(drawn, ends, axis=0)
    difference = point - point[reference]
    low_d, high_d = difference + widen * (np.quantile(drawn - drawn[:, [reference]], ends, axis=0) - difference)
    table = pd.DataFrame(
        {
            "value": point,
            "low": low,
            "high": high,
            "difference": difference,
            "difference_low": low_d,
            "difference_high": high_d,
        }
    )
    if n < 2:
        table[["low", "high", "difference_low", "difference_high"]] = np.nan
    return table


@dataclass(frozen=True, slots=True)
class Paired:
    """One measure of the same persons under every condition.

    values : ndarray, shape (person, condition), no NaN
    group : ndarray of int, shape (person,), 0 to `n_groups` - 1
        Persons of one family are drawn and flipped together.
    widen : float
        How much more a mean difference spreads than independent groups would tell, as a factor on its standard error.
    """

    names: tuple[str, ...]
    values: Floats
    group: NDArray[np.int64]
    widen: float = 1.0

    @property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1 if len(self.group) else 0

    def sums(self, values: Floats) -> Floats:
        """Return `values` added up by group, shape (group, condition)."""
        total = np.zeros((self.n_groups, values.shape[1]))
        np.add.at(total, self.group, values)
        return total

    def means(self) -> Statistic:
        """Return the statistic: the mean over persons under weights of the groups."""
        sums, sizes = self.sums(self.values), np.bincount(self.group).astype(float)
        return lambda weights: weights @ sums / (weights @ sizes)[:, None]


def pair_up(rows: pd.DataFrame, condition: str, measure: str) -> Paired:
    """Return a measure by person and condition: averaged over draws, then runs, then recordings.

    Parameters
    ----------
    rows : DataFrame
        Columns cohort, recording, person, group (a person's family; the person where there is none), `condition` and
        `measure`; seed, where there are several training runs. Any number of rows per recording and condition.
        Conditions keep their order of appearance.

    Raises
    ------
    ValueError
        If a recording lacks a condition or its measure: cells would then hold different recordings.
    """
    names = list(dict.fromkeys(rows[condition]))
    rows = rows if "group" in rows else rows.assign(group=rows["person"])
    keys = ["cohort", "group", "person", "recording"]
    runs = ["seed"] if "seed" in rows else []
    known = rows.groupby([*keys, condition, *runs], observed=True)[measure].agg(_mean)
    table = known.groupby(level=[*keys, condition]).agg(_mean).unstack(condition)[names]
    if table.isna().to_numpy().any():
        name = "/".join(map(str, table.index[table.isna().any(axis=1)][0]))
        raise ValueError(f"{name} has no {measure} in some conditions: every cell needs the same recordings")
    persons = table.groupby(level=["cohort", "group", "person"], sort=True).mean()
    group = persons.groupby(level=["cohort", "group"], sort=True).ngroup().to_numpy(np.int64)
    return Paired(tuple(map(str, names)), persons.to_numpy(float), group.astype(np.int64))


def _mean(values: pd.Series) -> float:
    """Return the mean, NaN if any value is: what has no value must not make the rest count more."""
    return float(values.mean(skipna=False))


def sign_flip_p(found: Paired, *, reference: int, permutations: int, rng: np.random.Generator) -> Floats:
    """Return two-sided p of each condition's mean difference to the reference, shape (condition,); NaN for itself.

    Under the null a group's difference is as likely to have the other sign. All sign patterns are enumerated where
    there are no more than `permutations`; otherwise that many are drawn, and p is (hits + 1) / (permutations + 1)
    (Phipson & Smyth 2010, doi 10.2202/1544-6115.1585).
    """
    sums = found.sums(found.values - found.values[:, [reference]])
    observed = np.abs(sums.sum(0))
    n = found.n_groups
    exact = 2**n <= permutations
    hits = np.zeros(len(observed))
    patterns = 2**n if exact else permutations
    for start in range(0, patterns, BLOCK):
        size = min(BLOCK, patterns - start)
        numbers = np.arange(start, start + size)[:, None]
        bits = (numbers >> np.arange(n)) & 1 if exact else rng.integers(0, 2, (size, n))
        flipped = found.widen * np.abs((2.0 * bits - 1) @ sums)
        hits += (flipped >= observed - 1e-9 * np.maximum(observed, 1e-3)).sum(0)  # equal but for rounding is a hit
    p = hits / patterns if exact else (hits + 1) / (patterns + 1)
    p[reference] = np.nan
    return p


def holm(p: ArrayLike) -> Floats:
    """Return p adjusted for the number of tests by Holm's method; NaN is no test and stays NaN."""
    from statsmodels.stats.multitest import multipletests  # half a second that reading its results need not wait

    adjusted = np.array(p, float)
    known = ~np.isnan(adjusted)
    if known.sum() > 1:  # one test is its own; statsmodels collects garbage at each call, 0.1 s
        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return adjusted


def compare_means(
    found: Paired,
    reference: str,
    options: Resampling,
    rng: np.random.Generator,
    *,
    scale: Callable[[Floats], Floats] | None = None,
) -> pd.DataFrame:
    """Compare the means over persons of every condition with that of `reference`.

    Parameters
    ----------
    scale : callable, optional
        A rising function of the mean in which values and differences are told (the root of a mean square, say). Signs
        are flipped on the mean itself.

    Returns
    -------
    DataFrame
        One row per condition: condition, the columns of `paired_bootstrap`, p (sign flips), p_holm (over the other
        conditions), persons and groups (families; what was drawn).
    """
    at = found.names.index(reference)
    for_bootstrap, for_signs = rng.spawn(2)
    means = found.means()
    table = paired_bootstrap(
        means if scale is None else lambda weights: scale(means(weights)),
        found.n_groups,
        reference=at,
        resamples=options.bootstrap,
        confidence=options.confidence,
        rng=for_bootstrap,
        widen=found.widen,
    )
    p = sign_flip_p(found, reference=at, permutations=options.permutations, rng=for_signs)
    table.insert(0, "condition", found.names)
    return table.assign(p=p, p_holm=holm(p), persons=len(found.values), groups=found.n_groups)

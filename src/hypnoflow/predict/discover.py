"""Every feature at every resolution against a target: effect within cohorts, combined over them, with its FDR."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from statsmodels.stats.multitest import multipletests

from hypnoflow.config.compare import Comparison
from hypnoflow.facts.files import replacing, write_table
from hypnoflow.predict.grouped import features_by_group, targets_by_group
from hypnoflow.stats.meta import combine
from hypnoflow.types import EPOCH_S

Floats = NDArray[np.float64]
MIN_CLASS = 3  # fewest groups of each class for a cohort's effect


def discover(
    features: pd.DataFrame,
    people: pd.DataFrame,
    columns: Sequence[str],
    options: Comparison,
    *,
    target: str,
    is_class: bool,
    once: Collection[str] = (),
) -> pd.DataFrame:
    """Return the association of each feature at each resolution with a target.

    One value per group. Effects are taken inside each cohort, so that no difference between cohorts enters them, and
    combined by random effects (DerSimonian-Laird). For a number: Spearman's rho, combined as Fisher's z with variance
    (1 + rho^2 / 2) / (n - 3) (Bonett & Wright 2000, doi 10.1007/BF02294183). For a class: Cliff's delta, 2 AUC - 1, of
    class 1 over class 0, variance of the AUC by Newcombe's method 5 (2006, doi 10.1002/sim.2324). Both lie in -1 to 1.
    Of a class, p takes the variance of no effect, that of the rank-sum test: classes that happen to lie apart would
    otherwise vouch for themselves. Combined over few cohorts that truly differ, p and intervals are too sure.

    Parameters
    ----------
    features : DataFrame
        One row per recording and resolution.
    people : DataFrame
        One row per person: cohort, group, person, y.
    columns : sequence of str
        Features.
    once : collection of str
        Features that do not depend on the resolution; they are tested at 30 s only.

    Returns
    -------
    DataFrame
        One row per feature and resolution, surest first: target, feature, steps_per_epoch, step_s, measure, effect,
        low, high, p, fdr (Benjamini-Hochberg over the whole table), i2, tau2, q, cohorts (with an effect),
        cohorts_positive, groups, by_cohort ("abc +0.21, mros -0.05"). NaN where a feature is constant or undefined in
        every cohort; no cohort counts with fewer than `cohort_groups` groups or, of a class, `MIN_CLASS` of each.
    """
    persons, y = targets_by_group(people, is_class=is_class)
    x = features_by_group(features, columns, people=persons, once=once)
    y = y.reindex(x.index)
    cohorts = sorted(x.index.unique("cohort"))
    found = [_effects_of_cohort(x.loc[[name]], y.loc[[name]], options, is_class) for name in cohorts]
    shape = (len(cohorts), x.shape[1])
    effect, variance, null, n = (np.array([part[k] for part in found], float).reshape(shape) for k in range(4))
    rows = pd.concat([_named(x.columns), _combined(effect, variance, null, options, is_class)], axis=1)
    rows["target"], rows["measure"] = target, "Cliff's delta" if is_class else "Spearman's rho"
    known = np.isfinite(effect) & np.isfinite(variance)
    rows["groups"] = np.where(known, n, 0).sum(0).astype(int)
    rows["cohorts_positive"] = (known & (effect > 0)).sum(0)
    rows["by_cohort"] = _directions(effect, known, cohorts)
    return with_fdr(rows)


def _named(columns: pd.Index) -> pd.DataFrame:
    """Return feature, steps_per_epoch and step_s of each column; a feature of no resolution has no step."""
    steps = columns.get_level_values("steps_per_epoch").to_numpy(int)
    step_s = EPOCH_S / np.where(steps > 0, steps, np.nan)
    return pd.DataFrame({"feature": columns.get_level_values("feature"), "steps_per_epoch": steps, "step_s": step_s})


def write_discovery(table: pd.DataFrame, base: Path) -> None:
    """Write the table as `{base}.parquet` and `{base}.csv`."""
    with replacing(base.with_name(f"{base.name}.parquet")) as path:
        table.to_parquet(path, index=False)
    write_table(table, base.with_name(f"{base.name}.csv"))


def with_fdr(table: pd.DataFrame) -> pd.DataFrame:
    """Return a discovery table, or several joined, with `fdr` over all of its tests, sorted: smallest p first."""
    known = table["p"].notna().to_numpy()
    fdr = np.full(len(table), np.nan)
    if known.any():
        fdr[known] = multipletests(table["p"].to_numpy(float)[known], method="fdr_bh")[1]
    order = ["p", "strength", "target", "feature", "steps_per_epoch"]
    table = table.assign(fdr=fdr, strength=-table["effect"].abs()).sort_values(order, ignore_index=True)
    return table[COLUMNS]


COLUMNS = [
    "target", "feature", "steps_per_epoch", "step_s", "measure", "effect", "low", "high", "p", "fdr", "i2", "tau2",
    "q", "cohorts", "cohorts_positive", "groups", "by_cohort",
]  # fmt: skip


def _combined(effect: Floats, variance: Floats, null: Floats, options: Comparison, is_class: bool) -> pd.DataFrame:
    """Combine over cohorts; rho as Fisher's z."""
    scaled = effect if is_class else np.arctanh(np.clip(effect, -1 + 1e-9, 1 - 1e-9))
    both = combine(scaled, variance)
    low, high = both.interval(options.resampling.confidence)
    back = (lambda v: np.clip(v, -1, 1)) if is_class else np.tanh
    return pd.DataFrame(
        {
            "effect": back(both.effect),
            "low": back(low),
            "high": back(high),
            "p": combine(scaled, null).p,
            "i2": both.i2,
            "tau2": both.tau2,
            "q": both.q,
            "cohorts": both.k,
        }
    )


def _effects_of_cohort(
    x: pd.DataFrame, y: pd.Series, options: Comparison, is_class: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return effect, its variance (of Fisher's z for rho), that without effect, and n of every column, (column,) each.

    Columns that are undefined in the same groups are done at once.
    """
    values, target = x.to_numpy(float), y.to_numpy(float)
    defined = np.isfinite(values) & np.isfinite(target)[:, None]
    patterns, which = np.unique(defined, axis=1, return_inverse=True)
    effect, variance, null, n = (np.full(values.shape[1], np.nan) for _ in range(4))
    for k in range(patterns.shape[1]):
        rows, cols = patterns[:, k], which.ravel() == k
        n[cols] = rows.sum()
        if rows.sum() >= options.cohort_groups:
            of_column = cliffs_delta if is_class else spearman
            effect[cols], variance[cols] = of_column(values[np.ix_(rows, cols)], target[rows])
            null[cols] = rank_sum_variance(target[rows]) if is_class else variance[cols]
    null[np.isnan(variance)] = np.nan
    return effect, variance, null, n


def spearman(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return Spearman's rho of each column with y, and the variance of its Fisher's z.

    Parameters
    ----------
    x : ndarray, shape (group, column)
    y : ndarray, shape (group,)

    Returns
    -------
    rho, variance : ndarray, shape (column,)
        NaN where x or y is constant.
    """
    a, b = rankdata(x, axis=0), rankdata(y)
    a, b = a - a.mean(0), b - b.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (b @ a) / np.sqrt(np.square(a).sum(0) * np.square(b).sum())
    rho = np.where((np.ptp(x, axis=0) > 0) & (np.ptp(y) > 0), np.clip(rho, -1, 1), np.nan)
    return rho, (1 + np.square(rho) / 2) / (len(y) - 3)


def cliffs_delta(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return Cliff's delta, 2 AUC - 1, of class 1 over class 0 in each column, and its variance.

    Newcombe's variance is 0 where classes are apart altogether; there the AUC enters it half a pair short of that.

    Returns
    -------
    delta, variance : ndarray, shape (column,)
        NaN where x is constant or a class has fewer than `MIN_CLASS` groups.
    """
    n1, n0 = int((y == 1).sum()), int((y == 0).sum())
    if min(n0, n1) < MIN_CLASS:
        return np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    ranks = rankdata(x, axis=0)
    auc = (ranks[y == 1].sum(0) - n1 * (n1 + 1) / 2) / (n1 * n0)
    a = np.clip(auc, 0.5 / (n1 * n0), 1 - 0.5 / (n1 * n0))
    half = (n1 + n0) / 2 - 1
    variance = a * (1 - a) / (n1 * n0) * (1 + half * (1 - a) / (2 - a) + half * a / (1 + a))
    varies = np.ptp(x, axis=0) > 0
    return np.where(varies, 2 * auc - 1, np.nan), np.where(varies, 4 * variance, np.nan)


def rank_sum_variance(y: Floats) -> float:
    """Return the variance of Cliff's delta where the classes do not differ, (n1 + n0 + 1) / (3 n1 n0)."""
    n1, n0 = int((y == 1).sum()), int((y == 0).sum())
    return (n1 + n0 + 1) / (3 * n1 * n0) if n1 and n0 else np.nan


def _directions(effect: Floats, known: NDArray[np.bool_], cohorts: Sequence[str]) -> list[str]:
    """Return the effect of each cohort as text, by column."""
    return [
        ", ".join(f"{name} {value:+.2f}" for name, value, is_known in zip(cohorts, e, k, strict=True) if is_known)
        for e, k in zip(effect.T, known.T, strict=True)
    ]

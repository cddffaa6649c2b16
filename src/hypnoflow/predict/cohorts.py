"""The same comparison cohort by cohort, within cohorts, and for recordings of equal length."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from hypnoflow.config.compare import Comparison
from hypnoflow.predict.losses import BEST, REFERENCE, OutOfFold
from hypnoflow.predict.primary import best_against_30_s
from hypnoflow.predict.said import Equalised, Estimate, Mixed
from hypnoflow.stats.meta import combine
from hypnoflow.stats.mixed import mixed_mean, mixed_slope

Floats = NDArray[np.float64]
AS_PREDICTED, WITHIN = "as predicted", "within cohorts"
COMBINED = "all cohorts"


def differences(found: OutOfFold, condition: str = BEST, reference: str = REFERENCE) -> pd.DataFrame:
    """Return one row per group: cohort, group, persons, difference (mean over its persons of the loss of `condition`
    minus that of `reference`; negative: `condition` is better), in squared units of the target."""
    loss = found.losses([condition, reference])
    rows = found.people.assign(difference=loss[:, 0] - loss[:, 1]).dropna(subset=["difference"])
    grouped = rows.groupby(["cohort", "group"], sort=True)["difference"]
    return grouped.agg(difference="mean", persons="size").reset_index()


def within_cohorts(found: OutOfFold) -> OutOfFold:
    """Return predictions recentred in each cohort: what tells cohorts apart no longer helps a condition."""
    return found.recentred(found.people["cohort"].to_numpy(object))


def by_cohort(found: OutOfFold, options: Comparison) -> pd.DataFrame:
    """Return the difference of "best" minus 30 s in each cohort and combined, as predicted and within cohorts.

    "As predicted" includes what a prediction gains by knowing the cohort, which shows in every cohort's own loss too;
    "within cohorts" does not (`OutOfFold.recentred`).

    Returns
    -------
    DataFrame
        One row per kind and cohort, the combination (DerSimonian-Laird, cohort "all cohorts") last: kind, cohort,
        persons, groups, difference (mean squared loss), low, high (Student's t over groups; normal for the
        combination), p (of the combination), i2, tau2. A cohort with fewer than `cohort_groups` groups has no
        interval and no part in the combination.
    """
    kinds = {AS_PREDICTED: found, WITHIN: within_cohorts(found)}
    tables = [_rows_of(each, options).assign(kind=kind) for kind, each in kinds.items()]
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "kind", table.pop("kind"))
    return table


def _rows_of(found: OutOfFold, options: Comparison) -> pd.DataFrame:
    confidence = options.resampling.confidence
    rows, estimates, variances = [], [], []
    for cohort, part in differences(found).groupby("cohort"):
        d = part["difference"].to_numpy(float)
        variance = np.square(found.widen) * d.var(ddof=1) / len(d) if len(d) >= options.cohort_groups else np.nan
        half = student.ppf((1 + confidence) / 2, max(1, len(d) - 1)) * np.sqrt(variance)
        ends = {"low": d.mean() - half, "high": d.mean() + half}
        rows.append(
            {"cohort": cohort, "persons": part["persons"].sum(), "groups": len(d), "difference": d.mean(), **ends}
        )
        estimates.append(d.mean())
        variances.append(variance)
    both = combine(np.array(estimates), np.array(variances)) if rows else combine(np.empty(0), np.empty(0))
    low, high = both.interval(confidence)
    in_it = [row for row, variance in zip(rows, variances, strict=True) if variance > 0]
    last = {
        "cohort": COMBINED,
        "persons": sum(row["persons"] for row in in_it),
        "groups": sum(row["groups"] for row in in_it),
        "difference": float(both.effect),
        "low": float(low),
        "high": float(high),
        "p": float(both.p),
        "i2": float(both.i2),
        "tau2": float(both.tau2),
    }
    return pd.DataFrame([*rows, last])


def mixed_effects(found: OutOfFold, options: Comparison) -> Mixed:
    """Return the effect with cohort as a random effect, beside the pooled one.

    Cohorts with fewer than `cohort_groups` groups are left out: their own mean, to which predictions are moved, is of
    too few.

    Returns
    -------
    dict
        difference: mean loss of "best" minus 30 s, as predicted (`difference`) and within cohorts
        (`difference_within`); `association`: by condition, the slope of the target on the prediction within cohorts;
        each as `mixed_slope` returns it. `pooled`: the mean of the differences over groups, cohorts ignored;
        `left_out`: names of cohorts.
    """
    confidence = options.resampling.confidence
    groups = found.people.drop_duplicates(["cohort", "group"]).groupby("cohort").size()
    kept = found.subset(found.people["cohort"].map(groups >= options.cohort_groups).to_numpy(bool))
    plain, inside = differences(kept), differences(within_cohorts(kept))
    return {
        "left_out": sorted(groups.index[groups < options.cohort_groups]),
        "pooled": float(plain["difference"].mean()) if len(plain) else None,
        "difference": _mean_of(plain, confidence, found.widen),
        "difference_within": _mean_of(inside, confidence, found.widen),
        "association": {name: association(kept, name, confidence) for name in (REFERENCE, BEST)},
    }


def _mean_of(rows: pd.DataFrame, confidence: float, widen: float) -> Estimate:
    cohort = rows["cohort"].to_numpy(object)
    found: Any = mixed_mean(rows["difference"].to_numpy(float), cohort, confidence, widen=widen)
    return cast(Estimate, found)


def association(found: OutOfFold, condition: str, confidence: float) -> Estimate:
    """Return the slope of the target on one condition's predictions within cohorts; one value per group."""
    rows = found.people.assign(p=found.mean_prediction(condition)).dropna(subset=["p", "y"])
    group = rows.groupby(["cohort", "group"], sort=True)[["y", "p"]].mean().reset_index()
    slope: Any = mixed_slope(
        group["y"].to_numpy(float), group["p"].to_numpy(float), group["cohort"].to_numpy(object), confidence
    )
    return cast(Estimate, slope)


def equalised_by_length(
    found: OutOfFold, hours: pd.Series, options: Comparison, rng: np.random.Generator
) -> list[Equalised]:
    """Repeat the comparison of "best" with 30 s so that the length of recordings cannot explain it.

    Two ways, each beside the comparison of the same persons as predicted:

    - "window": only persons whose recordings differ by at most `length_window_h`, in the window that holds most
      groups (the earliest of equals);
    - "strata": predictions are recentred in strata of recording length of equal size, so that what a prediction owes
      to length differs between strata no longer helps (`OutOfFold.recentred`).

    Parameters
    ----------
    hours : Series indexed by person ("{cohort}/{name}")
        Recording length, the mean of a person's recordings; persons without are left out.

    Returns
    -------
    list of dict
        way, from_h, to_h (or strata), and as `best_against_30_s`.
    """
    length = hours.reindex(found.people["person"]).to_numpy(float)
    known = found.subset(np.isfinite(length))
    length = length[np.isfinite(length)]
    start = densest_window(length, options.length_window_h)
    inside = (length >= start) & (length <= start + options.length_window_h)
    stratum = strata_of(length, options.length_strata)
    for_all, for_window, for_strata = rng.spawn(3)
    every: Equalised = {"way": "as predicted", **best_against_30_s(known, options, for_all)}
    if len(length):
        every |= {"from_h": float(length.min()), "to_h": float(length.max())}
    return [
        every,
        {
            "way": "window",
            "from_h": float(start),
            "to_h": float(start + options.length_window_h),
            **best_against_30_s(known.subset(inside), options, for_window),
        },
        {
            "way": "strata",
            "strata": len(np.unique(stratum)),
            **best_against_30_s(known.recentred(stratum.astype(object)), options, for_strata),
        },
    ]


def densest_window(values: Floats, width: float) -> float:
    """Return the start of the window of this width that holds most values, the earliest of equals; NaN of none."""
    if not len(values):
        return np.nan
    ordered = np.sort(values)
    held = np.searchsorted(ordered, ordered + width, side="right") - np.arange(len(ordered))
    return float(ordered[int(np.argmax(held))])


def strata_of(values: Floats, strata: int) -> NDArray[np.int64]:
    """Return the stratum of each value, 0 to `strata` - 1, split at quantiles; equal values share one."""
    if not len(values):
        return np.empty(0, np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, strata + 1)[1:-1]))
    return np.searchsorted(edges, values, side="left").astype(np.int64)

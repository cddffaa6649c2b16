"""Agreement by cohort, laid out as Table 1 of AnySleep (arXiv 2512.14461)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from hypnoflow.config.evaluate import Evaluate
from hypnoflow.stats.confusion import accuracy, cohen_kappa, counts_of, f1_per_class, macro_f1, n_occurring
from hypnoflow.types import STAGES, UNSEEN

DOMAINS = {"test": "in-distribution", "held_out": "hold-out"}
MEAN = "mean"  # name of the row that is weighted by recordings
N_COLUMNS = ["recordings", "unscored", "persons", "epochs", "stages"]
MEASURES = ["macro_f1", "kappa", "accuracy", "macro_f1_by_recording"]


def cohort_table(
    table: pd.DataFrame, options: Evaluate, simulated: Collection[str] = (), classes: Sequence[str] = STAGES
) -> pd.DataFrame:
    """Return the agreement of unseen persons by cohort, and its mean weighted by recordings.

    Counts are pooled over a cohort's recordings, F1 per class is taken of them, and their mean is the macro-F1. Where
    training runs were scored apart, their figures are averaged.

    Parameters
    ----------
    table : DataFrame
        As `hypnoflow.evaluate.nights.measured` makes it; with a column seed where there are several training runs.
    simulated : collection of str
        Cohorts whose recordings are simulated.
    classes : sequence of str
        Of the task.

    Returns
    -------
    DataFrame
        One row per domain (in-distribution, hold-out) and cohort, the mean of each domain last: recordings (with at
        least one scored epoch), unscored (without), persons, epochs, stages (that occur in the pooled counts, so whose
        F1 needs no convention), F1 of each, macro_f1, kappa, accuracy, macro_f1_by_recording, macro_f1_sd (over runs;
        NaN for one), runs, simulated. A weighted mean leaves out cohorts that lack a stage.
    """
    measures = [*(f"f1_{name}" for name in classes), *MEASURES]
    columns = ["domain", "cohort", *N_COLUMNS, *measures, "macro_f1_sd", "runs", "simulated"]
    if table.empty:
        return pd.DataFrame(columns=columns)
    unseen = table[table["split"].isin(UNSEEN)]
    seeds = unseen["seed"] if "seed" in unseen else pd.Series("", index=unseen.index)
    runs = [_of_one_run(part, options, classes) for _, part in unseen.groupby(seeds, sort=True)]
    if not runs:
        return pd.DataFrame(columns=columns)
    grouped = pd.concat(runs).groupby(["domain", "cohort"], sort=False)
    found = grouped[N_COLUMNS].max().join(grouped[measures].mean())
    found = found.assign(macro_f1_sd=grouped["macro_f1"].std(), runs=grouped.size()).reset_index()
    is_simulated = found["cohort"].isin(list(simulated))
    of_domain = is_simulated.groupby(found["domain"]).transform("any")
    return found.assign(simulated=is_simulated.where(found["cohort"] != MEAN, of_domain))[columns]


def _of_one_run(table: pd.DataFrame, options: Evaluate, classes: Sequence[str]) -> pd.DataFrame:
    parts = []
    measures = [*(f"f1_{name}" for name in classes), *MEASURES]
    for split, domain in DOMAINS.items():
        rows = table[table["split"] == split]
        if len(rows):
            by_cohort = rows.groupby("cohort")
            cohorts = pd.DataFrame([_pooled(str(name), part, options, classes) for name, part in by_cohort])
            with_mean = pd.concat([cohorts, _weighted_mean(cohorts, measures)], ignore_index=True)
            parts.append(with_mean.assign(domain=domain))
    return pd.concat(parts, ignore_index=True)


def _pooled(cohort: str, rows: pd.DataFrame, options: Evaluate, classes: Sequence[str]) -> dict[str, float | str]:
    counts = counts_of(rows, classes).sum(0)
    absent = options.absent_class if counts.any() else "skip"
    f1 = f1_per_class(counts, absent)
    return {
        "cohort": cohort,
        "recordings": int((rows["n_epochs"] > 0).sum()),
        "unscored": int((rows["n_epochs"] == 0).sum()),
        "persons": rows["person"].nunique(),
        "epochs": int(counts.sum()),
        "stages": int(n_occurring(counts)),
        **{f"f1_{name}": float(value) for name, value in zip(classes, f1, strict=True)},
        "macro_f1": float(macro_f1(counts, absent)),
        "kappa": float(cohen_kappa(counts)),
        "accuracy": float(accuracy(counts)),
        "macro_f1_by_recording": float(rows["macro_f1"].mean()),
    }


def _weighted_mean(cohorts: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Return one row: sums of the numbers, and the measures' means weighted by recordings."""
    weights = cohorts["recordings"].to_numpy(float)
    values = cohorts[list(measures)].to_numpy(float)
    known = ~np.isnan(values) * weights[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (np.nan_to_num(values) * known).sum(0) / known.sum(0)
    row = cohorts[N_COLUMNS].sum().to_frame().T.assign(cohort=MEAN, stages=cohorts["stages"].min())
    return row.assign(**dict(zip(measures, means.tolist(), strict=True)))

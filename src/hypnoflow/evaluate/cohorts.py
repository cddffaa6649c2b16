"""Agreement by cohort, laid out as Table 1 of AnySleep (arXiv 2512.14461), and networks against each other."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from hypnoflow.config.evaluate import Evaluate
from hypnoflow.errors import CohortError, ConfigError
from hypnoflow.evaluate.metrics import COUNTS, UNSEEN, accuracy, cohen_kappa, f1_per_stage, macro_f1, n_stages
from hypnoflow.seeds import generator
from hypnoflow.stats.paired import compare_means, holm, pair_up
from hypnoflow.types import STAGES

log = logging.getLogger(__name__)

DOMAINS = {"test": "in-distribution", "held_out": "hold-out"}
MEAN = "mean"  # name of the row that is weighted by recordings
N_COLUMNS = ["recordings", "unscored", "persons", "epochs", "stages"]
MEASURES = [*(f"f1_{stage}" for stage in STAGES), "macro_f1", "kappa", "accuracy", "macro_f1_by_recording"]


def cohort_table(table: pd.DataFrame, options: Evaluate, simulated: Collection[str] = ()) -> pd.DataFrame:
    """Return the agreement of unseen persons by cohort, and its mean weighted by recordings.

    Counts are pooled over a cohort's recordings, F1 per stage is taken of them, and their mean is the macro-F1. Where
    training runs were scored apart, their figures are averaged.

    Parameters
    ----------
    table : DataFrame
        As `hypnoflow.evaluate.nights.Agreement` makes it; with a column seed where there are several training runs.
    simulated : collection of str
        Cohorts whose recordings are simulated.

    Returns
    -------
    DataFrame
        One row per domain (in-distribution, hold-out) and cohort, the mean of each domain last: recordings (with at
        least one scored epoch), unscored (without), persons, epochs, stages (that occur in the pooled counts, so whose
        F1 needs no convention), F1 of each, macro_f1, kappa, accuracy, macro_f1_by_recording, macro_f1_sd (over runs;
        NaN for one), runs, simulated. A weighted mean leaves out cohorts that lack a stage.
    """
    unseen = table[table["split"].isin(UNSEEN)]
    seeds = unseen["seed"] if "seed" in unseen else pd.Series("", index=unseen.index)
    runs = [_of_one_run(part, options) for _, part in unseen.groupby(seeds, sort=True)]
    columns = ["domain", "cohort", *N_COLUMNS, *MEASURES, "macro_f1_sd", "runs", "simulated"]
    if not runs:
        return pd.DataFrame(columns=columns)
    grouped = pd.concat(runs).groupby(["domain", "cohort"], sort=False)
    found = grouped[N_COLUMNS].max().join(grouped[MEASURES].mean())
    found = found.assign(macro_f1_sd=grouped["macro_f1"].std(), runs=grouped.size()).reset_index()
    is_simulated = found["cohort"].isin(list(simulated))
    of_domain = is_simulated.groupby(found["domain"]).transform("any")
    return found.assign(simulated=is_simulated.where(found["cohort"] != MEAN, of_domain))[columns]


def _of_one_run(table: pd.DataFrame, options: Evaluate) -> pd.DataFrame:
    parts = []
    for split, domain in DOMAINS.items():
        rows = table[table["split"] == split]
        if len(rows):
            cohorts = pd.DataFrame([_pooled(str(name), part, options) for name, part in rows.groupby("cohort")])
            parts.append(pd.concat([cohorts, _weighted_mean(cohorts)], ignore_index=True).assign(domain=domain))
    return pd.concat(parts, ignore_index=True)


def _pooled(cohort: str, rows: pd.DataFrame, options: Evaluate) -> dict[str, float | str]:
    counts = rows[COUNTS].to_numpy(np.int64).sum(0).reshape(len(STAGES), len(STAGES))
    absent = options.absent_class if counts.any() else "skip"
    f1 = f1_per_stage(counts, absent)
    return {
        "cohort": cohort,
        "recordings": int((rows["n_epochs"] > 0).sum()),
        "unscored": int((rows["n_epochs"] == 0).sum()),
        "persons": rows["person"].nunique(),
        "epochs": int(counts.sum()),
        "stages": int(n_stages(counts)),
        **{f"f1_{stage}": float(value) for stage, value in zip(STAGES, f1, strict=True)},
        "macro_f1": float(macro_f1(counts, absent)),
        "kappa": float(cohen_kappa(counts)),
        "accuracy": float(accuracy(counts)),
        "macro_f1_by_recording": float(rows["macro_f1"].mean()),
    }


def _weighted_mean(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Return one row: sums of the numbers, and the measures' means weighted by recordings."""
    weights = cohorts["recordings"].to_numpy(float)
    values = cohorts[MEASURES].to_numpy(float)
    known = ~np.isnan(values) * weights[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (np.nan_to_num(values) * known).sum(0) / known.sum(0)
    row = cohorts[N_COLUMNS].sum().to_frame().T.assign(cohort=MEAN, stages=cohorts["stages"].min())
    return row.assign(**dict(zip(MEASURES, means.tolist(), strict=True)))


def compare_models(
    tables: Mapping[str, pd.DataFrame], options: Evaluate, *, seed: int, measure: str = "macro_f1"
) -> pd.DataFrame:
    """Compare networks in pairs on the same unseen persons: all of them, and cohort by cohort.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables per recording of `Agreement`, one per network, at least two; with a column seed where training
        runs were scored apart: they are averaged first.
    measure : str
        Column that is compared: macro_f1, kappa or accuracy.

    Returns
    -------
    DataFrame
        One row per scope ("all", or a cohort) and pair: model, other, value with low and high (of model), other_value,
        difference (model minus other) with its interval, p, p_holm, persons, groups, recordings. Holm's correction is
        over the pairs in scope "all", and apart from these over all rows of cohorts.

    Raises
    ------
    ValueError
        If the networks were scored on different recordings.
    """
    rows = pd.concat([table.assign(model=name) for name, table in tables.items()], ignore_index=True)
    rows = rows[rows["split"].isin(UNSEEN) & (rows["n_epochs"] > 0)]
    scopes = {"all": rows, **{str(cohort): part for cohort, part in rows.groupby("cohort")}}
    parts = [
        _compare_two(part, scope, other, model, options, seed=seed, measure=measure)
        for scope, part in scopes.items()
        for other, model in combinations(tables, 2)
    ]
    result = pd.concat(parts, ignore_index=True)
    of_all = result["scope"] == "all"
    for family in (of_all, ~of_all):
        result.loc[family, "p_holm"] = holm(result.loc[family, "p"])
    return result


def compare_files(paths: Sequence[Path], options: Evaluate, *, seed: int, measure: str = "macro_f1") -> pd.DataFrame:
    """Compare the networks whose tables per recording are given, on the recordings that all of them scored.

    Parameters
    ----------
    paths : sequence of Path
        Tables of the stage `evaluate`, ``results/evaluate/{model}.parquet``; a network is called as its file.

    Returns
    -------
    DataFrame
        As `compare_models`.

    Raises
    ------
    ConfigError
        If there are fewer than two networks, or two files of one name.
    CohortError
        If no unseen recording was scored by all.
    """
    tables = {path.stem: pd.read_parquet(path) for path in paths}
    if len(tables) < 2 or len(tables) < len(paths):
        raise ConfigError(f"a comparison needs the tables of two networks or more, found {[*map(str, paths)]}")
    key = ["cohort", "recording"]
    scored = {name: table[table["split"].isin(UNSEEN) & (table["n_epochs"] > 0)] for name, table in tables.items()}
    common = set.intersection(*(set(table[key].itertuples(index=False, name=None)) for table in scored.values()))
    if not common:
        raise CohortError(f"no recording of the test or held-out split was scored by all of {', '.join(tables)}")
    kept = {name: table[pd.MultiIndex.from_frame(table[key]).isin(common)] for name, table in scored.items()}
    for name, table in scored.items():
        if len(table) > len(kept[name]):
            log.info("%s: %d recordings that not all networks scored are left out", name, len(table) - len(kept[name]))
    return compare_models(kept, options, seed=seed, measure=measure)


def _compare_two(
    rows: pd.DataFrame, scope: str, other: str, model: str, options: Evaluate, *, seed: int, measure: str
) -> pd.DataFrame:
    """Return the one row of `model` against `other`."""
    pair = rows[rows["model"].isin([other, model])]
    rng = generator(seed, "evaluate", "models", scope, model, other)
    both = compare_means(pair_up(pair, "model", measure), other, options.resampling, rng)
    both = both.rename(columns={"condition": "model"}).assign(
        scope=scope,
        other=other,
        other_value=float(both.loc[both["condition"] == other, "value"].iloc[0]),
        recordings=len(pair[["cohort", "recording"]].drop_duplicates()),
    )
    return both[both["model"] == model]

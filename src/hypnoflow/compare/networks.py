"""Networks against each other, in pairs, on the persons that none of them has seen."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from hypnoflow.config.evaluate import Evaluate
from hypnoflow.errors import CohortError, ConfigError
from hypnoflow.seeds import generator
from hypnoflow.stats.paired import compare_means, holm, pair_up
from hypnoflow.types import UNSEEN

log = logging.getLogger(__name__)


def compare_models(
    tables: Mapping[str, pd.DataFrame], options: Evaluate, *, seed: int, measure: str = "macro_f1"
) -> pd.DataFrame:
    """Compare networks in pairs on the same unseen persons: all of them, and cohort by cohort.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables per recording of the stage `evaluate`, one per network, at least two; with a column seed where training
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

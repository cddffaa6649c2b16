"""Everything that is said of one target, from its out-of-fold table: the summary that the report reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from hypnoflow.config.compare import Comparison
from hypnoflow.predict.cohorts import by_cohort, equalised_by_length, mixed_effects
from hypnoflow.predict.compare import compare_all
from hypnoflow.predict.controls import predict_cohort, resolution_jitter, shuffled_labels
from hypnoflow.predict.curves import learning_curve
from hypnoflow.predict.discover import discover, with_fdr
from hypnoflow.predict.grouped import features_by_group
from hypnoflow.predict.losses import Asked, OutOfFold
from hypnoflow.predict.persons import SLOPE
from hypnoflow.predict.primary import primary_test
from hypnoflow.predict.refit import Refit
from hypnoflow.predict.said import Control, Primary, TargetSummary
from hypnoflow.predict.sentence import cautions, primary_sentence
from hypnoflow.seeds import generator
from hypnoflow.stats.calibrate import reliability

SHOWN = 15  # features of the discovery table that the report draws


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one target.

    asked : Asked
        The target, and by which scheme and learner the primary test is made.
    predicted : mapping of (scheme, learner) to OutOfFold
        Each made once of the out-of-fold table.
    features : DataFrame
        One row per recording and resolution, the columns `compared` and `classic` among others.
    compared, classic : sequence of str
        Features that differ between resolutions, and the 30-s yardstick.
    hours : Series indexed by person ("{cohort}/{name}"), optional
        Recording length, the mean of a person's recordings.
    refit : Refit, optional
        A cheap learner's cross-validation; without it there are no shuffled labels and no learning curve.
    slopes : DataFrame, optional
        One row per recording: how features change over resolutions. They belong to none, and are in the discovery
        table only.
    simulated : bool
        Whether any of the data are.
    """

    asked: Asked
    predicted: Mapping[tuple[str, str], OutOfFold]
    features: pd.DataFrame
    compared: Sequence[str]
    classic: Sequence[str]
    simulated: bool
    hours: pd.Series | None = None
    refit: Refit | None = None
    slopes: pd.DataFrame | None = None


def compare_target(known: Evidence, options: Comparison, *, seed: int) -> tuple[TargetSummary, pd.DataFrame]:
    """Return the summary of one target, as JSON can hold it, and its discovery table.

    Returns
    -------
    summary : dict
        target, unit, measure, persons, groups, cohorts_n; primary; sentence; cautions (what the controls hold against
        it); comparison (rows of `compare_all`); cohorts (rows of `by_cohort`); mixed; equalised; controls (shuffled,
        cohort, jitter); curve; discovery (the strongest features at every resolution); reliability (of "best").
    discovery : DataFrame
        As `discover`.
    """
    asked = known.asked
    found = known.predicted[asked.scheme, asked.learner]
    comparison = compare_all(known.predicted.values(), options, seed=seed)
    primary = primary_test(found, options, seed=seed)
    discovery = _discovery(known, found, options)
    summary: dict[str, Any] = {
        "target": asked.target,
        "unit": asked.unit,
        "measure": asked.measure,
        "simulated": known.simulated,
        "persons": len(found.people),
        "groups": len(found.people[["cohort", "group"]].drop_duplicates()),
        "cohorts_n": int(found.people["cohort"].nunique()),
        "primary": primary,
        "sentence": primary_sentence(primary, simulated=known.simulated),
        "comparison": comparison.to_dict("records"),
        **_beside(known, found, options, seed),
        "controls": _controls(known, found, comparison, primary, options, seed),
        "discovery": strongest(discovery).to_dict("records"),
        "reliability": reliability(found.best, is_class=asked.is_class),
    }
    doubts = cautions(primary, summary["controls"], summary["mixed"])
    return cast(TargetSummary, plain(summary | {"cautions": doubts})), discovery


def _discovery(known: Evidence, found: OutOfFold, options: Comparison) -> pd.DataFrame:
    """Return every feature at every resolution, and every slope over resolutions, against the target."""
    how: dict[str, Any] = {"target": known.asked.target, "is_class": known.asked.is_class}
    columns = [*known.compared, *known.classic]
    table = discover(known.features, found.people, columns, options, once=known.classic, **how)
    if known.slopes is None:
        return table
    changes = [f"{name}{SLOPE}" for name in known.compared]
    return with_fdr(
        pd.concat([table, discover(known.slopes, found.people, changes, options, **how)], ignore_index=True)
    )


def _beside(known: Evidence, found: OutOfFold, options: Comparison, seed: int) -> dict[str, Any]:
    """Return the same comparison by cohort, by length of recordings and by number of persons."""
    enough = {"1", "best"} <= set(found.conditions)
    about: dict[str, Any] = {"cohorts": [], "mixed": {}, "equalised": [], "curve": []}
    if not enough:
        return about
    about |= {"cohorts": by_cohort(found, options).to_dict("records"), "mixed": mixed_effects(found, options)}
    if known.hours is not None:
        rng = generator(seed, "predict", known.asked.target, "length")
        about["equalised"] = equalised_by_length(found, known.hours, options, rng)
    if known.refit is not None:
        curve = learning_curve(known.refit, found.people, known.asked, options, seed=seed)
        about["curve"] = curve.to_dict("records")
    return about


def _controls(
    known: Evidence,
    found: OutOfFold,
    comparison: pd.DataFrame,
    primary: Primary,
    options: Comparison,
    seed: int,
) -> dict[str, Control]:
    mine = (
        comparison[(comparison["scheme"] == options.scheme) & (comparison["learner"] == options.learner)]
        if len(comparison)
        else comparison
    )
    controls: dict[str, Any] = {"jitter": resolution_jitter(mine, primary)}
    matrices = cohort_matrices(known, found)
    if matrices:
        controls["cohort"] = predict_cohort(matrices, options, seed=seed)
    if known.refit is not None and options.shuffles:
        controls["shuffled"] = shuffled_labels(known.refit, found.people, known.asked, options, seed=seed)
    return controls


def cohort_matrices(known: Evidence, found: OutOfFold) -> dict[str, pd.DataFrame]:
    """Return the features of each condition by group: classic, then each resolution."""
    wide = features_by_group(known.features, [*known.compared, *known.classic], people=found.people, once=known.classic)
    names = wide.columns.get_level_values("feature")
    steps = wide.columns.get_level_values("steps_per_epoch")
    chosen = {"classic": names.isin(list(known.classic))}
    chosen |= {str(f): (steps == f) & names.isin(list(known.compared)) for f in sorted(steps.unique())}
    return {name: wide.loc[:, mask] for name, mask in chosen.items() if mask.any() and len(wide)}


def strongest(discovery: pd.DataFrame) -> pd.DataFrame:
    """Return the rows, at every resolution, of the features with the smallest p at any; features in that order."""
    known = discovery[discovery["p"].notna()]
    names = list(dict.fromkeys(known["feature"]))[:SHOWN]
    rows = discovery[discovery["feature"].isin(names)]
    rank = rows["feature"].map({name: k for k, name in enumerate(names)})
    return rows.assign(rank=rank).sort_values(["rank", "steps_per_epoch"]).drop(columns="rank")


def plain(value: Any) -> Any:
    """Return nested results as JSON can hold them: built-in types, None for what is undefined."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value

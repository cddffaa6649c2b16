"""One target: out-of-fold predictions of every person, what they were made of, and the comparison with 30 s."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from hypnoflow.config.predict import Predict
from hypnoflow.errors import ConfigError, did_you_mean
from hypnoflow.features import dictionary, slopes
from hypnoflow.predict.discover import COLUMNS as DISCOVERED
from hypnoflow.predict.forests import Blocks, forest_errors, out_of_bag, published
from hypnoflow.predict.losses import Asked, every_out_of_fold
from hypnoflow.predict.persons import KEYS, People, feature_columns, gather_people, named
from hypnoflow.predict.said import Forest, TargetSummary
from hypnoflow.predict.summary import Evidence, compare_target
from hypnoflow.predict.targets import TARGETS, Target
from hypnoflow.predict.validate import (
    COLUMNS,
    out_of_fold,
    outer_folds,
    why_not_predicted,
    why_not_trained,
    why_skipped,
)

NO_FORESTS = pd.DataFrame(columns=["person", "forest", "prediction", "condition", "y"])
IN_BED = "tib_min"  # the classic statistic that is the recording's length, min


@dataclass(frozen=True, slots=True)
class Predicted:
    """One target, predicted and compared.

    people : People
        Who has features and a known target.
    predictions : DataFrame
        Out-of-fold, see `out_of_fold`; empty where there are too few persons.
    summary : TargetSummary
        Who was predicted and what came out, see `compare_target`; or ``problem``, why nothing did.
    discovery : DataFrame
        Every feature at every resolution against the target, see `discover`.
    """

    people: People
    predictions: pd.DataFrame
    summary: TargetSummary
    discovery: pd.DataFrame


def predict_target(
    features: pd.DataFrame,
    manifest: pd.DataFrame,
    target: str,
    options: Predict,
    *,
    seed: int,
    threads: int,
    simulated: bool,
) -> Predicted:
    """Predict one target at every resolution, and compare all of them with 30 s.

    Parameters
    ----------
    features : DataFrame
        One row per recording and resolution.
    manifest : DataFrame
        Rows of all cohorts, with cohort, recording, person, group and demographics.
    target : str
        One of `hypnoflow.predict.targets.TARGETS`.
    simulated : bool
        Whether any cohort is; what is said of the result says so too.
    """
    people = gather_people(features, manifest, named_target(target), dictionary())
    about = _about(people, features, options, seed)
    why_not = why_not_predicted(people, options)
    predictions = pd.DataFrame(columns=list(COLUMNS))
    chosen = options.compare.scheme, options.compare.learner
    if not why_not:
        predictions = out_of_fold(people, options, seed=seed, threads=threads)
        if not (predictions[["scheme", "learner"]] == chosen).all(axis=1).any():
            why_not = next((row["problem"] for row in about["not_predicted"] if row["scheme"] == chosen[0]), "no folds")
    if why_not:
        lacking = cast(TargetSummary, {**about, "problem": why_not})
        return Predicted(people, predictions, lacking, pd.DataFrame(columns=DISCOVERED))
    asked = Asked(*chosen, people.target.is_class, people.target.name, people.target.unit)
    evidence = _evidence(asked, predictions, features, manifest, simulated=simulated)
    again = Again(people, _of_primary(options), seed, threads)
    summary, discovery = compare_target(replace(evidence, refit=again), options.compare, seed=seed)
    return Predicted(people, predictions, cast(TargetSummary, {**about, **summary}), discovery)


@dataclass(frozen=True, slots=True)
class Again:
    """The cross-validation of the primary test once more, on some of the persons or with other targets: a `Refit`."""

    people: People
    options: Predict
    seed: int
    threads: int

    def __call__(self, people: pd.DataFrame) -> pd.DataFrame:
        some = self.people.only(people.set_index("person")["y"])
        if why_not_predicted(some, self.options):
            return pd.DataFrame(columns=list(COLUMNS))
        return out_of_fold(some, self.options, seed=self.seed, threads=self.threads)


def _of_primary(options: Predict) -> Predict:
    """Return the options with the learner and the scheme of the primary test alone, once."""
    only = {"learners": (options.compare.learner,), "schemes": (options.compare.scheme,), "repeats": 1}
    return options.model_copy(update=only)


def _evidence(
    asked: Asked, predictions: pd.DataFrame, features: pd.DataFrame, manifest: pd.DataFrame, *, simulated: bool
) -> Evidence:
    """Return all that the comparison is made from, persons and families by the names that hold over all cohorts."""
    classic, fine = feature_columns(features, dictionary())
    names = named(manifest)[[*KEYS, "name", "family"]]
    table = features.drop(columns=["person", "group"], errors="ignore").merge(names, on=KEYS, validate="many_to_one")
    table = table.rename(columns={"name": "person", "family": "group"})
    at_30_s = table[table["steps_per_epoch"] == 1]
    return Evidence(
        asked,
        every_out_of_fold(predictions, is_class=asked.is_class, target=asked.target, unit=asked.unit),
        table,
        fine,
        classic,
        simulated=simulated,
        hours=at_30_s.groupby("person")[IN_BED].mean() / 60,
        slopes=slopes(table, fine),
    )


def predict_forests(
    people: People, blocks: pd.DataFrame, options: Predict, *, seed: int, threads: int, kept: Path | None = None
) -> tuple[pd.DataFrame, list[Forest]]:
    """Run the published forest protocol, or its out-of-bag variant, on the triplets at every resolution; or nothing.

    Parameters
    ----------
    blocks : DataFrame
        Raw counts of triplets, one row per block of a recording and resolution; recordings without sleep have none.

    Returns
    -------
    predictions : DataFrame
        Columns condition (resolution), person, forest, y, prediction.
    errors : list of dict
        By condition: protocol, persons, measure, error and its standard deviation over forests, which says how much the
        drawn settings matter and is no confidence interval.
    """
    if options.forests.protocol == "off" or why_not_predicted(people, options):
        return NO_FORESTS, []
    protocol = partial(published, kept=kept) if options.forests.protocol == "published" else out_of_bag
    parts, rows = [], list[Forest]()
    for f, part in blocks.groupby("steps_per_epoch", sort=True):
        known = _blocks(part, people)
        if len(np.unique(known.group)) < 2:
            continue
        table = protocol(known, options.forests, seed=seed, threads=threads)
        y = people.table.set_index("person")["y"]
        predicted = table.dropna()
        errors = forest_errors(predicted, y, people.target.is_class)
        rows.append(
            {
                "condition": f"{f:d}",
                "protocol": options.forests.protocol,
                "persons": predicted["person"].nunique(),
                "measure": "1 - macro-F1" if people.target.is_class else "RMSE",
                "error": float(errors.mean()),
                "sd_over_forests": float(errors.std()) if len(errors) > 1 else None,
            }
        )
        parts.append(table.assign(condition=f"{f:d}", y=table["person"].map(y)))
    return pd.concat(parts or [NO_FORESTS], ignore_index=True), rows


def _blocks(rows: pd.DataFrame, people: People) -> Blocks:
    """Return the triplets of everybody whose target is known."""
    columns = [name for name in rows if str(name).startswith("triplet_")]
    name = rows["cohort"].astype(str) + "/" + rows["person"].astype(str)
    known = name.isin(people.table["person"]) & rows[columns].notna().all(axis=1)
    facts = people.table.set_index("person").loc[name[known].tolist()]
    return Blocks(
        rows.loc[known, columns].to_numpy(float),
        facts["y"].to_numpy(float),
        facts.index.to_numpy(str),
        facts["group"].to_numpy(str),
        people.target.is_class,
    )


def named_target(name: str) -> Target:
    """Return a target by name; ConfigError for an unknown one."""
    if name not in TARGETS:
        raise ConfigError(f"no target {name!r}{did_you_mean(name, TARGETS)} (known: {', '.join(TARGETS)})")
    return TARGETS[name]


def _about(people: People, features: pd.DataFrame, options: Predict, seed: int) -> dict[str, Any]:
    """Return who was predicted, and which folds were not and why."""
    target, y, table = people.target, people.y, people.table
    return {
        "target": target.name,
        "classes": list(target.classes),
        "unit": target.unit,
        "learner": options.compare.learner,
        "persons": len(table),
        "groups": int(table["group"].nunique()),
        "cohorts_n": int(table["cohort"].nunique()),
        "persons_without_target": people.persons_without_target,
        "recordings": people.recordings,
        "persons_by_cohort": {str(k): int(v) for k, v in table["cohort"].value_counts(sort=False).items()},
        "persons_by_split": _by_split(people, features),
        "class_counts": [int(np.sum(y == c)) for c in (0, 1)] if target.is_class else [],
        "mean": float(y.mean()) if len(y) and not target.is_class else None,
        "not_predicted": _not_predicted(people, options, seed),
    }


def _by_split(people: People, features: pd.DataFrame) -> dict[str, int]:
    """Return how many persons the staging network was trained, validated and tested on."""
    if "split" not in features:
        return {}
    name = features["cohort"].astype(str) + "/" + features["person"].astype(str)
    of_people = features.assign(name=name)[name.isin(people.table["person"])]
    return {str(k): int(v) for k, v in of_people.groupby("split")["name"].nunique().items()}


def _not_predicted(people: People, options: Predict, seed: int) -> list[dict[str, Any]]:
    """Return schemes and outer folds without predictions, each with its persons and the reason."""
    rows: list[dict[str, Any]] = []
    for scheme in options.schemes:
        why = why_skipped(people, scheme)
        if why:
            rows.append({"scheme": scheme, "persons": len(people.table), "problem": why})
    for outer in [] if why_not_predicted(people, options) else outer_folds(people, options, seed):
        why = why_not_trained(people, outer.test, options)
        if why:
            cohorts = sorted(people.table.loc[outer.test, "cohort"].unique())
            rows.append({"scheme": outer.scheme, "cohorts": cohorts, "persons": int(outer.test.sum()), "problem": why})
    return rows

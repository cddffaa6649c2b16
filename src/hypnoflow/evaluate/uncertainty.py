"""Calibration, risk against coverage, and agreement with several scorers, over the persons of each split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.agreement.confidence import FIELDS, WAYS, LabelledNight
from hypnoflow.agreement.consensus import MEASURES
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.evaluate.calibration import (
    N_BINS,
    area_under_risk_coverage,
    bin_sums,
    expected_calibration_error,
    reliability_table,
    risk_coverage,
    threshold_for,
)
from hypnoflow.evaluate.said import Trust
from hypnoflow.facts.files import records
from hypnoflow.seeds import generator
from hypnoflow.stats.paired import Floats, Statistic, paired_bootstrap
from hypnoflow.types import UNSEEN

SPLITS = {"valid": ("valid",), "test": ("test",), "held_out": ("held_out",), "unseen": UNSEEN}
INTERVAL = ("value", "low", "high")
CURVE = np.arange(1, 101) / 100  # coverages at which the curve is written


def trust(nights: Sequence[LabelledNight], consensus: pd.DataFrame, options: Evaluate, *, seed: int) -> Trust | None:
    """Return how far probabilities can be trusted, for validation and unseen persons.

    Parameters
    ----------
    nights : sequence of LabelledNight
        Of persons that were not trained on.
    consensus : DataFrame
        A row per recording with several scorers: cohort, recording, split, and what `consensus_agreement` says.
    seed : int
        The config's.

    Returns
    -------
    dict or None
        `splits` has for valid, test, held_out and unseen (both of these) what `_measures` says; the temperature was
        fitted on valid, whose figures are therefore too good. `consensus` is what `_consensus` says. None where the
        stores hold no 30-s probabilities.
    """
    if not nights:
        return None
    chosen = _thresholds([night for night in nights if night.split == "valid"], options.coverages)
    found: dict[str, Any] = {}
    for name, parts in SPLITS.items():
        part = [night for night in nights if night.split in parts and night.confidence.size]
        if part:
            found[name] = _measures(part, chosen, options, generator(seed, "evaluate", "uncertainty", name))
    plain: Trust = _without_nan({"n_bins": N_BINS, "splits": found, "consensus": _consensus(consensus)})
    return plain


def _thresholds(valid: Sequence[LabelledNight], coverages: Sequence[float]) -> dict[float, float]:
    """Return the confidence that keeps each share of the validation persons' epochs; none without such epochs."""
    confidence = np.concatenate([night.confidence[1] for night in valid]) if valid else np.empty(0)
    return {share: threshold_for(confidence, share) for share in coverages} if len(confidence) else {}


def _measures(
    nights: Sequence[LabelledNight], chosen: dict[float, float], options: Evaluate, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the figures of one group of persons.

    Returns
    -------
    dict
        persons, n_epochs; nll (nat), aurc and reliability by way (before, after calibration); ece with an interval by
        way, and the difference of after to before; curve, the risk at each coverage; kept, what is left and its risk
        at each threshold, with intervals and the difference in risk to keeping all. The intervals of ece lie high,
        since every resample adds noise to the bins, and noise adds to ece.
    """
    sums, person = _sums_by_person(nights)
    confidence, correct, nll = (np.concatenate([getattr(n, x) for n in nights], axis=1) for x in FIELDS)
    aurc = [area_under_risk_coverage(risk_coverage(c, right)) for c, right in zip(confidence, correct, strict=True)]
    risk = risk_coverage(confidence[1], correct[1])
    for_ece, for_kept = rng.spawn(2)
    ece = records(_bootstrap(_ece_of(sums), len(sums), options, for_ece))
    return {
        "persons": len(sums),
        "n_epochs": correct.shape[1],
        "ece": dict(zip(WAYS, ece, strict=True)),
        "nll": dict(zip(WAYS, nll.mean(1).tolist(), strict=True)),
        "aurc": dict(zip(WAYS, aurc, strict=True)),
        "reliability": dict(zip(WAYS, map(reliability_table, sums.sum(0)), strict=True)),
        "curve": {"coverage": CURVE.tolist(), "risk": risk[np.ceil(CURVE * len(risk) - 1e-9).astype(int) - 1].tolist()},
        "kept": _kept(nights, person, chosen, options, for_kept),
    }


def _sums_by_person(nights: Sequence[LabelledNight]) -> tuple[Floats, NDArray[np.int64]]:
    """Return `bin_sums` of each person and way, shape (person, way, bin, 3), and each night's person."""
    names, person = np.unique([night.person for night in nights], return_inverse=True)
    sums = np.zeros((len(names), len(WAYS), N_BINS, 3))
    for night, at in zip(nights, person, strict=True):
        sums[at] += [bin_sums(c, right) for c, right in zip(night.confidence, night.correct, strict=True)]
    return sums, person


def _ece_of(sums: Floats) -> Statistic:
    """Return the statistic: expected calibration error by way."""
    flat = sums.reshape(len(sums), -1)
    return lambda weights: expected_calibration_error((weights @ flat).reshape(-1, *sums.shape[1:]))


def _kept(
    nights: Sequence[LabelledNight],
    person: NDArray[np.int64],
    chosen: dict[float, float],
    options: Evaluate,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Return coverage and risk at the config's threshold (`wanted` None) and at those chosen on validation persons."""
    counts = np.zeros((int(person.max()) + 1, 2 + len(chosen), 2))  # (person, condition, kept and wrong)
    for night, at in zip(nights, person, strict=True):
        sure = night.confidence[1] >= np.array(list(chosen.values()))[:, None]
        kept = np.vstack([np.ones_like(night.abstain), ~night.abstain, sure])
        counts[at] += np.stack([kept.sum(1), (kept & ~night.correct[1]).sum(1)], axis=1)
    table = records(_bootstrap(_risks_and_coverages(counts), len(counts), options, rng))
    risks, coverages = table[1 : 2 + len(chosen)], table[2 + len(chosen) :]
    thresholds = [nights[0].abstain_below, *chosen.values()]
    return [
        {"wanted": wanted, "threshold": threshold, "coverage": {k: coverage[k] for k in INTERVAL}, "risk": risk}
        for wanted, threshold, coverage, risk in zip([None, *chosen], thresholds, coverages, risks, strict=True)
    ]


def _risks_and_coverages(counts: Floats) -> Statistic:
    """Return the statistic: risk of each condition, then coverage of each but the first, which keeps all."""

    def of(weights: Floats) -> Floats:
        kept, wrong = np.moveaxis((weights @ counts.reshape(len(counts), -1)).reshape(-1, *counts.shape[1:]), -1, 0)
        with np.errstate(invalid="ignore"):
            return np.concatenate([wrong / kept, kept[:, 1:] / kept[:, :1]], axis=1)

    return of


def _bootstrap(statistic: Statistic, persons: int, options: Evaluate, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of `paired_bootstrap` with the first condition as reference."""
    how = options.resampling
    return paired_bootstrap(
        statistic, persons, reference=0, resamples=how.bootstrap, confidence=how.confidence, rng=rng
    )


def _consensus(table: pd.DataFrame) -> dict[str, Any] | None:
    """Return the agreement with several scorers: by recording, and its means over those of each split."""
    if table.empty:
        return None
    parts = {name: table[table["split"].isin(splits)] for name, splits in SPLITS.items()}
    means = {
        name: {"recordings": len(part), **part[list(MEASURES)].mean().to_dict()}
        for name, part in parts.items()
        if len(part)
    }
    return {"recordings": records(table), "mean": means}


def _without_nan(value: Any) -> Any:
    """Return nested figures with None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and np.isnan(value) else value

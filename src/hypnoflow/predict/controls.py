"""Negative controls: what the pipeline finds where there is nothing to find, and what else could explain a gain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hypnoflow.config.compare import Comparison, Resampling
from hypnoflow.predict.compare import compare_errors
from hypnoflow.predict.losses import BEST, Asked, OutOfFold, out_of_fold_of
from hypnoflow.predict.primary import BETTER, best_against_30_s, verdict
from hypnoflow.predict.refit import Refit, shuffle_targets
from hypnoflow.predict.said import Primary
from hypnoflow.seeds import derive_seed, generator
from hypnoflow.stats.paired import paired_bootstrap
from hypnoflow.types import EPOCH_S

Floats = NDArray[np.float64]
COHORT_FOLDS = 5


def shuffled_labels(
    refit: Refit, people: pd.DataFrame, asked: Asked, options: Comparison, *, seed: int
) -> dict[str, Any]:
    """Repeat the whole pipeline with targets dealt to other persons of the same cohort.

    Features then know of the target only what they know of the cohort. "Best" against the training mean must not win
    more often than chance allows: if it does, something leaks, or features tell cohorts apart whose targets differ.
    "Best" against 30 s shows how large a gain comes of nothing but that.

    Returns
    -------
    dict
        repeats; predicted: in how many "best" beat the training mean (one-sided share of a two-sided test); gained:
        in how many it beat 30 s; allowed: the 99 % point of such numbers by chance; differences (to 30 s) and skills
        (1 - loss / loss of the training mean), one of each repeat; flag: more than allowed; text.
    """
    rows = []
    for k in range(options.shuffles):
        table = refit(shuffle_targets(people, generator(seed, "predict", asked.target, "shuffle", k)))
        if len(table):
            found = out_of_fold_of(table, asked)
            rows.append(_nothing_to_find(found, options, generator(seed, "predict", asked.target, "shuffled", k)))
    allowed = int(binom.ppf(0.99, len(rows), (1 - options.resampling.confidence) / 2)) if rows else 0
    predicted, gained = (sum(row[key] for row in rows) for key in ("predicted", "gained"))
    flag = predicted > allowed or gained > allowed
    return {
        "repeats": len(rows),
        "predicted": predicted,
        "gained": gained,
        "allowed": allowed,
        "differences": [row["difference"] for row in rows],
        "skills": [row["skill"] for row in rows],
        "flag": flag,
        "text": _shuffled_text(len(rows), predicted, gained, allowed),
    }


def _nothing_to_find(found: OutOfFold, options: Comparison, rng: np.random.Generator) -> dict[str, Any]:
    for_mean, for_gain = rng.spawn(2)
    row = compare_errors(found, [BEST], "baseline", options, for_mean).iloc[1]
    loss = np.nanmean(found.losses([BEST, "baseline"]), axis=0)
    against = best_against_30_s(found, options, for_gain)
    return {
        "predicted": verdict(row["difference"], row["p"], options.resampling.confidence) == BETTER,
        "gained": against["verdict"] == BETTER,
        "difference": against["difference"],
        "skill": float(1 - loss[0] / loss[1]) if loss[1] > 0 else None,
    }


def _shuffled_text(repeats: int, predicted: int, gained: int, allowed: int) -> str:
    if not repeats:
        return "not made"
    text = (
        f"with targets shuffled within cohorts, the mean is beaten in {predicted} and 30 s in {gained} of {repeats} "
        f"repeats; chance allows {allowed}"
    )
    if predicted > allowed or gained > allowed:
        return text + ": features tell cohorts apart whose targets differ, or something leaks"
    return text


def predict_cohort(
    matrices: Mapping[str, pd.DataFrame], options: Comparison, *, seed: int, name: str = "cohort"
) -> dict[str, Any]:
    """Predict each group's cohort from its features, by linear discriminants with shrinkage under cross-validation.

    Features that tell cohorts apart can predict any target that differs between cohorts, by amplifier, montage or
    site, without knowing anything of sleep.

    Parameters
    ----------
    matrices : mapping of str to DataFrame
        By condition, at least one: one row per group with index cohort, group; a column per feature. NaN takes the
        training rows' median.

    Returns
    -------
    dict
        chance (1 / cohorts), cohorts, groups, left_out (cohorts with fewer than `cohort_groups` groups), rows
        (condition, balanced_accuracy, low, high: bootstrap intervals over groups that hold for all conditions at
        once, by Bonferroni; above: whether it excludes chance), flag: whether any does; text. No rows with fewer
        than two cohorts.
    """
    index = next(iter(matrices.values())).index
    sizes = Counter(index.get_level_values("cohort"))
    kept = sorted(name for name, n in sizes.items() if n >= options.cohort_groups)
    left_out = sorted(set(sizes) - set(kept))
    facts: dict[str, Any] = {"cohorts": len(kept), "left_out": left_out, "rows": [], "flag": False}
    if len(kept) < 2:
        return {**facts, "groups": len(index), "chance": None, "text": "not made: fewer than two cohorts"}
    facts["chance"] = 1 / len(kept)
    miss = (1 - options.resampling.confidence) / len(matrices)
    one_by_one = options.resampling.model_copy(update={"confidence": 1 - miss})
    for condition, x in matrices.items():
        x = x[x.index.get_level_values("cohort").isin(kept)]
        rng = generator(seed, "predict", "control", name, condition)
        row = _cohort_accuracy(x, one_by_one, derive_seed(seed, "predict", "control", name), rng)
        facts["rows"].append({"condition": condition, **row, "above": bool(row["low"] > facts["chance"])})
    facts["groups"] = len(x)
    facts["flag"] = any(row["above"] for row in facts["rows"])
    return {**facts, "text": _cohort_text(facts)}


def _cohort_accuracy(x: pd.DataFrame, options: Resampling, state: int, rng: np.random.Generator) -> dict[str, float]:
    cohort = x.index.get_level_values("cohort").to_numpy(str)
    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage="auto", priors=np.full(len(set(cohort)), 1 / len(set(cohort)))
        ),
    )
    folds = StratifiedKFold(COHORT_FOLDS, shuffle=True, random_state=state)
    right = (cross_val_predict(model, x.to_numpy(float), cohort, cv=folds) == cohort).astype(float)
    member = (cohort[:, None] == np.unique(cohort)).astype(float)  # (group, cohort)
    table = paired_bootstrap(
        partial(_balanced, right=right, member=member),
        len(right),
        reference=0,
        resamples=options.bootstrap,
        confidence=options.confidence,
        rng=rng,
    )
    row = table.iloc[0]
    return {"balanced_accuracy": float(row["value"]), "low": float(row["low"]), "high": float(row["high"])}


def _balanced(weights: Floats, right: Floats, member: Floats) -> Floats:
    """Return the mean over cohorts of the share found, shape (resample, 1); a cohort not drawn is left out."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmean((weights * right) @ member / (weights @ member), axis=1)[:, None]


def _cohort_text(facts: Mapping[str, Any]) -> str:
    most = max(facts["rows"], key=itemgetter("balanced_accuracy"))
    text = (
        f"balanced accuracy of telling the {facts['cohorts']} cohorts apart is up to {most['balanced_accuracy']:.2f} "
        f"({most['low']:.2f} to {most['high']:.2f}, {_place(most['condition'])}), chance {facts['chance']:.2f}"
    )
    return text + (
        ": features betray the cohort, so pooled gains may be of the site; see the estimate within cohorts"
        if facts["flag"]
        else ": no sign that features betray the cohort"
    )


def _place(condition: str) -> str:
    return f"at {EPOCH_S / int(condition):.3g} s" if condition.isdigit() else condition


def resolution_jitter(comparison: pd.DataFrame, primary: Primary) -> dict[str, Any]:
    """Return how much the error changes between neighbouring resolutions, where little can have changed.

    Neighbours hold nearly the same features: the typical difference between them is what refitting on other, equally
    good numbers does. The median tells it even where the error truly
    falls at a few of the steps.

    Parameters
    ----------
    comparison : DataFrame
        Rows of `compare` of one scheme and learner.

    Returns
    -------
    dict
        pairs; median and largest absolute difference between neighbours, in units of the error; limit: 95 % point of
        a normal distribution with that median (1.96 * 1.4826 * median); flag: whether the primary difference, if it was
        called a gain, is within the limit; text.
    """
    rows = comparison[comparison["family"] == "neighbour"] if len(comparison) else pd.DataFrame()
    sizes = rows["difference"].abs().dropna().to_numpy(float) if len(rows) else np.empty(0)
    if not len(sizes):
        return {
            "pairs": 0,
            "median": None,
            "largest": None,
            "limit": None,
            "flag": False,
            "text": "not made: one resolution",
        }
    difference = primary["difference"]
    limit = 1.96 * 1.4826 * float(np.median(sizes))
    flag = bool(primary["verdict"] == BETTER and difference is not None and abs(difference) <= limit)
    text = (
        f"neighbouring resolutions differ by {np.median(sizes):.3g} (median) and at most {sizes.max():.3g} in "
        f"{primary['measure']}"
    )
    return {
        "pairs": len(sizes),
        "median": float(np.median(sizes)),
        "largest": float(sizes.max()),
        "limit": limit,
        "flag": flag,
        "text": text + (f": the gain over 30 s is within the {limit:.3g} that such steps make" if flag else ""),
    }

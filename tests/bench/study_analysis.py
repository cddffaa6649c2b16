"""The smallest honest analysis of a study: nested ridge out of fold, then one paired test of "best" against 30 s.

It stands for the design, not for the learners of `hypnoflow.predict`: with it the error rates of a rule are known
before anything slow is run. Every rule that is examined is a `Rule`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.bench.study_pool import YARDSTICK, Floats, Persons

from hypnoflow.evaluate.paired import Paired, paired_bootstrap

PENALTIES = np.logspace(3.5, -1.5, 11)  # in units of a row's mean squared length; strongest first
INTERCEPT = 1e3  # squared value of the constant column: so large that it is hardly shrunk
MOST_SD = 5.0
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """How a study is analysed.

    penalty_se : float
        The strongest penalty is taken whose loss is within this many standard errors of the least.
    switch_se : float
        A resolution replaces 30 s only if its gain in the training part exceeds this many standard errors.
    with_classic : bool
        Whether the classic statistics stand beside the features of every resolution, 30 s among them.
    fixed : str
        A resolution named beforehand, to which nothing is preferred; "" lets the training part choose.
    repeats : int
        Of the cross-validation.
    corrected : bool
        Whether what spreads over persons is widened for the training persons that folds share; see `compared`.
    within_cohorts : bool
        Whether targets and features are taken from their cohort's mean, so that only persons of a cohort are compared.
    """

    penalty_se: float = 1.0
    switch_se: float = 2.0
    with_classic: bool = True
    fixed: str = ""
    repeats: int = 2
    corrected: bool = True
    within_cohorts: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """Ridge regression under every penalty, in its dual form.

    left_out : ndarray, shape (training person, penalty)
        Squared errors of persons when their whole group is left out, in closed form.
    """

    left_out: Floats
    weights: Floats
    mean: Floats
    scale: Floats

    def predict(self, x: Floats, penalty: int) -> Floats:
        return _design(x, self.mean, self.scale) @ self.weights[:, penalty]

    def penalty(self, standard_errors: float) -> int:
        """Return the number of the strongest penalty within so many standard errors of the best."""
        best = int(self.left_out.mean(0).argmin())
        extra = self.left_out - self.left_out[:, [best]]
        allowed = standard_errors * extra.std(0) / np.sqrt(len(extra))
        return int(np.argmax(extra.mean(0) <= allowed))


def _design(x: Floats, mean: Floats, scale: Floats) -> Floats:
    used = scale > 0
    z = np.clip((x[:, used] - mean[used]) / scale[used], -MOST_SD, MOST_SD) / np.sqrt(max(used.sum(), 1))
    return np.column_stack([z, np.full(len(x), np.sqrt(INTERCEPT))])


def ridge_path(x: Floats, y: Floats, group: NDArray[np.int64]) -> Path:
    mean, scale = x.mean(0), x.std(0)
    z = _design(x, mean, scale)
    values, vectors = np.linalg.eigh(z @ z.T)
    shrunk = 1 / (np.maximum(values, 0)[:, None] + PENALTIES)  # (component, penalty)
    dual = vectors @ (shrunk * (vectors.T @ y)[:, None])
    left_out = dual / ((vectors**2) @ shrunk)
    for g in np.flatnonzero(np.bincount(group) > 1):
        members = np.flatnonzero(group == g)
        for k in range(len(PENALTIES)):
            block = (vectors[members] * shrunk[:, k]) @ vectors[members].T
            left_out[members, k] = np.linalg.solve(block, dual[members, k])
    return Path(left_out**2, z.T @ dual, mean, scale)


def folds_of(y: Floats, group: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a fold per person, even over the target; groups stay whole."""
    mean = np.bincount(group, weights=y) / np.bincount(group)
    order = np.lexsort((rng.random(len(mean)), mean))
    fold = np.empty(len(mean), np.int64)
    for start in range(0, len(order), FOLDS):
        some = order[start : start + FOLDS]
        fold[some] = rng.permutation(FOLDS)[: len(some)]
    return fold[group]


def choose(paths: dict[str, Path], penalty: dict[str, int], switch_se: float) -> str:
    """Return the resolution that the training part prefers to 30 s, the first condition."""
    loss = {c: path.left_out[:, penalty[c]] for c, path in paths.items()}
    reference = next(iter(loss))
    best = min(loss, key=lambda c: loss[c].mean())
    gain = loss[reference] - loss[best]
    return best if gain.mean() > switch_se * gain.std() / np.sqrt(len(gain)) else reference


def analyse(
    study: Persons, target: str, rule: Rule = Rule(), *, new: Persons | None = None, rng: np.random.Generator
) -> dict[str, Any]:
    """Compare "best" with 30 s, as squared error in units of the target's variance.

    Returns
    -------
    dict
        difference, low, high (percentile bootstrap over groups), se (as if groups were independent), p (sign flips
        of groups), better (significant and below 0), stayed (share of folds that kept 30 s), skill (1 - loss of best
        / variance) and, with `new` persons, true: the same difference there, by the same fitted models.
    """
    x, y = matrices(study, rule), targets(study, target, rule)
    new_x, new_y = (matrices(new, rule), targets(new, target, rule)) if new else ({}, np.empty(0))
    loss, true, chosen = np.zeros((2, len(y))), [], []
    for _ in range(rule.repeats):
        fold = folds_of(y, study.group, rng)
        for k in range(FOLDS):
            train, test = fold != k, fold == k
            group = np.unique(study.group[train], return_inverse=True)[1]
            paths = {c: ridge_path(each[train], y[train], group) for c, each in x.items()}
            penalty = {c: path.penalty(rule.penalty_se) for c, path in paths.items()}
            best, reference = rule.fixed or choose(paths, penalty, rule.switch_se), next(iter(x))
            chosen.append(best)
            for row, c in enumerate((best, reference)):
                loss[row, test] += (paths[c].predict(x[c][test], penalty[c]) - y[test]) ** 2 / rule.repeats
            if new:
                error = [np.mean((paths[c].predict(new_x[c], penalty[c]) - new_y) ** 2) for c in (best, reference)]
                true.append(error[0] - error[1])
    variance = float(np.var(y))
    found = compared(Paired(("best", "1"), loss.T / variance, study.group), rule.corrected, rng)
    return {
        **found,
        "true": float(np.mean(true)) / variance if new else np.nan,
        "stayed": chosen.count(next(iter(x))) / len(chosen),
        "skill": 1 - float(loss[0].mean()) / variance,
    }


def compared(losses: Paired, corrected: bool, rng: np.random.Generator) -> dict[str, Any]:
    """Return the paired test and interval of the first condition against the second.

    Losses of persons in different folds come from models that share training persons, so that the mean varies more
    from study to study than persons do within one. By Nadeau & Bengio (2003, doi 10.1023/A:1024068626366) its variance
    is larger by 1 + k / (k - 1) for k folds, however often they are repeated: both the bootstrap distribution about
    the estimate and that of the flipped signs are stretched by the root of it.
    """
    widen = float(np.sqrt(1 + FOLDS / (FOLDS - 1))) if corrected else 1.0
    row = paired_bootstrap(losses.means(), losses.n_groups, reference=1, resamples=1000, confidence=0.95, rng=rng)
    low, high = row.loc[0, ["difference_low", "difference_high"]]
    sums = losses.sums(losses.values[:, [0]] - losses.values[:, [1]])[:, 0]
    flipped = (2.0 * rng.integers(0, 2, (2000, len(sums))) - 1) @ sums
    hits = np.sum(widen * np.abs(flipped) >= abs(sums.sum()) - 1e-12)
    p, difference = float((hits + 1) / (len(flipped) + 1)), float(row.loc[0, "difference"])
    return {
        "difference": difference,
        "low": difference - widen * (difference - low),
        "high": difference + widen * (high - difference),
        "se": float(np.sqrt(np.square(sums - sums.mean()).sum()) / len(losses.values)),
        "p": p,
        "better": p <= 0.05 and difference < 0,
    }


def matrices(persons: Persons, rule: Rule) -> dict[str, Floats]:
    """Return the features of each resolution, 30 s first."""
    found = {}
    for name in sorted((c for c in persons.x if c != YARDSTICK), key=int):
        x = np.column_stack([persons.x[YARDSTICK], persons.x[name]]) if rule.with_classic else persons.x[name]
        if name in ("1", rule.fixed) or not rule.fixed:
            found[name] = centred(x, persons.about["cohort"].to_numpy(str)) if rule.within_cohorts else x
    return found


def targets(persons: Persons, target: str, rule: Rule) -> Floats:
    y = persons.about[target].to_numpy(float)
    return centred(y[:, None], persons.about["cohort"].to_numpy(str))[:, 0] if rule.within_cohorts else y


def centred(values: Floats, cohort: NDArray[np.str_]) -> Floats:
    """Return values minus their cohort's mean."""
    _, code = np.unique(cohort, return_inverse=True)
    size = np.bincount(code)[:, None]
    sums = np.zeros((len(size), values.shape[1]))
    np.add.at(sums, code, values)
    return values - (sums / size)[code]

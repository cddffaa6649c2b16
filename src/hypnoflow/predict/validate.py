"""Out-of-fold predictions: nested cross-validation by family, and by leaving one cohort out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hypnoflow.config.predict import Predict
from hypnoflow.facts.progress import track
from hypnoflow.predict.learners import LEARNERS, Scores, Training, squared, standard_error
from hypnoflow.predict.persons import YARDSTICK, People
from hypnoflow.seeds import derive_seed, generator
from hypnoflow.stats.calibrate import calibrated, half_width
from hypnoflow.stats.folds import cohort_folds, grouped_folds

Floats = NDArray[np.float64]
COLUMNS = (
    *("person", "group", "cohort", "target", "scheme", "learner", "condition", "repeat", "fold"),
    *("y", "prediction", "low", "high", "chosen"),
)
BASELINE, BEST = "baseline", "best"
JOINED = ("demographics+classic", "demographics+1", "demographics+best")
SWITCH_SE = 2.0
MIN_PER_CLASS = 2


@dataclass(frozen=True, slots=True)
class Outer:
    """One outer fold of one scheme and repeat."""

    scheme: str
    repeat: int
    fold: int
    test: NDArray[np.bool_]  # (person,)


def out_of_fold(people: People, options: Predict, *, seed: int, threads: int = 1) -> pd.DataFrame:
    """Predict every person from models that never saw the person's family, under every condition.

    Conditions are the training persons' mean or share (baseline), demographics, the classic 30-s statistics, these
    with every other feature at each resolution, the resolution that the training persons themselves chose (best, see
    `choose`), and demographics joined with classic statistics, 30 s and best. All conditions and learners share the
    folds.

    Parameters
    ----------
    seed : int
        The config's seed.
    threads : int
        Processes; they do not change the result.

    Returns
    -------
    DataFrame
        One row per person, scheme, learner, condition and repeat: `COLUMNS`. A class's prediction is the calibrated
        probability of class 1; low and high bound a number's prediction interval. Cohorts are left out by the
        primary learner alone, and once, not `repeats` times; folds that cannot be trained on (see `why_not_trained`)
        have no rows.
    """
    jobs = [
        delayed(predict_fold)(people, outer, learner, options, seed)
        for outer in outer_folds(people, options, seed)
        if why_not_trained(people, outer.test, options) is None
        for learner in _learners(outer.scheme, options)
    ]
    if not jobs:
        return pd.DataFrame(columns=list(COLUMNS))
    done = Parallel(n_jobs=threads, return_as="generator")(jobs)
    return pd.concat(list(track(done, len(jobs), people.target.name)), ignore_index=True)


def outer_folds(people: People, options: Predict, seed: int) -> list[Outer]:
    """Return the outer folds of every scheme; a scheme that is impossible has none."""
    found = []
    if "grouped" in options.schemes:
        for repeat in range(options.repeats):
            rng = generator(seed, "predict", people.target.name, "folds", repeat)
            fold = grouped_folds(people.y, people.group, options.folds, rng)
            found += [Outer("grouped", repeat, int(k), fold == k) for k in np.unique(fold)]
    if "leave_one_cohort_out" in options.schemes and not why_skipped(people, "leave_one_cohort_out"):
        fold = cohort_folds(people.table["cohort"].to_numpy(str))
        found += [Outer("leave_one_cohort_out", 0, int(k), fold == k) for k in np.unique(fold)]
    return found


def _learners(scheme: str, options: Predict) -> tuple[str, ...]:
    return options.learners if scheme == "grouped" else (options.compare.learner,)


def predict_fold(people: People, outer: Outer, learner: str, options: Predict, seed: int) -> pd.DataFrame:
    """Return the rows of one outer fold under one learner."""
    with threadpool_limits(1):
        train, test = ~outer.test, outer.test
        training = _training(people, outer, options, seed)
        fit = LEARNERS[learner]

        def scores(*blocks: str) -> Scores:
            x = np.hstack([people.features[block] for block in blocks])
            return fit(training, x[train], x[test], options)

        at = {name: scores(name) for name in ("demographics", YARDSTICK, *people.resolutions)}
        chosen = choose(training, {name: at[name] for name in people.resolutions})
        at[BEST] = at[chosen]
        for joined in JOINED:
            at[joined] = scores(*(chosen if block == BEST else block for block in joined.split("+")))
        at = {BASELINE: _mean_only(training.y, int(test.sum())), **at}
        rows = [_rows(people, outer, name, each, training, options) for name, each in at.items()]
    table = pd.concat(rows, ignore_index=True).assign(learner=learner)
    table["chosen"] = np.where(table["condition"] == BEST, chosen, "")
    return table[list(COLUMNS)]


def _training(people: People, outer: Outer, options: Predict, seed: int) -> Training:
    name = people.target.name
    train = ~outer.test
    y, group = people.y[train], people.group[train]
    where = (outer.scheme, outer.repeat, outer.fold)
    inner = grouped_folds(y, group, options.inner_folds, generator(seed, "predict", name, "inner", *where))
    return Training(y, group, inner, people.target.is_class, derive_seed(seed, "predict", name, "learner", *where))


def choose(training: Training, resolutions: dict[str, Scores]) -> str:
    """Return the resolution that the training persons prefer to the first one, 30 s.

    It is the one with the least error on their inner predictions, if that is less than at 30 s by more than
    `SWITCH_SE` standard errors of the paired difference, families counted once. The least error alone would nearly
    always be at some other resolution, by chance, and predict new persons worse than 30 s where nothing is to be found.
    """
    error = squared(np.stack([scores.inner for scores in resolutions.values()], axis=1), training.y)
    best = int(np.argmin(np.nanmean(error, axis=0)))
    gain = error[:, [0]] - error[:, [best]]
    sure = np.nanmean(gain) > SWITCH_SE * standard_error(gain, training.group)[0]
    return list(resolutions)[best if sure else 0]


def _mean_only(y: Floats, n_new: int) -> Scores:
    """Return the training mean, and for each training person that of the others."""
    return Scores((y.sum() - y) / (len(y) - 1), np.full(n_new, y.mean()))


def _rows(
    people: People, outer: Outer, condition: str, scores: Scores, training: Training, options: Predict
) -> pd.DataFrame:
    """Return one condition's rows, calibrated."""
    table = people.table.loc[outer.test, ["person", "group", "cohort", "y"]]
    prediction, half = scores.new, np.nan
    if not training.is_class:
        half = half_width(scores.inner, training.y, options.interval)
    elif condition != BASELINE:
        prediction = calibrated(scores.inner, training.y, scores.new)
    return table.assign(
        target=people.target.name,
        scheme=outer.scheme,
        condition=condition,
        repeat=outer.repeat,
        fold=outer.fold,
        prediction=prediction,
        low=prediction - half,
        high=prediction + half,
    )


def why_not_predicted(people: People, options: Predict) -> str | None:
    """Return why nothing can be predicted of these persons, or None."""
    name, groups = people.target.name, len(np.unique(people.group))
    if groups < 2 * options.folds:
        return f"{groups} persons with a known {name}, {2 * options.folds} needed for {options.folds} folds"
    if people.target.is_class and min(_groups_by_class(people.y, people.group)) < MIN_PER_CLASS:
        return f"{name}: fewer than {MIN_PER_CLASS} persons in one of the two classes"
    if len(np.unique(people.y)) < 2:
        return f"{name}: everybody has the same value"
    return None


def why_skipped(people: People, scheme: str) -> str | None:
    """Return why a scheme is impossible, or None: no cohort can be left out where there is but one."""
    cohorts = sorted(people.table["cohort"].unique())
    if scheme == "leave_one_cohort_out" and len(cohorts) < 2:
        return f"only {', '.join(cohorts) or 'no cohort'} knows {people.target.name}, two cohorts are needed"
    return None


def why_not_trained(people: People, test: NDArray[np.bool_], options: Predict) -> str | None:
    """Return why the persons outside `test` are no training part, or None.

    Too few families for one in each inner fold, or one class only: a model of them would be none.
    """
    y, groups = people.y[~test], len(np.unique(people.group[~test]))
    if groups < options.inner_folds:
        return f"{groups} persons are left to train on, too few for {options.inner_folds} inner folds"
    if len(np.unique(y)) < 2:
        return "the persons left to train on all have the same value"
    return None


def _groups_by_class(y: Floats, group: NDArray[np.int64]) -> list[int]:
    return [len(np.unique(group[y == c])) for c in (0, 1)]

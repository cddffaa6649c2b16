"""From the out-of-fold table to one loss per person and condition: what every comparison starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.predict.grouped import with_group
from hypnoflow.stats.paired import Paired

Floats = NDArray[np.float64]
PERSON = ["cohort", "group", "person"]
REFERENCE = "1"  # 30 s
BEST = "best"  # the resolution that the training persons chose


@dataclass(frozen=True, slots=True)
class Asked:
    """Which predictions: of what, in which scheme of folds, by which learner.

    is_class : bool
        Whether the target is 0 or 1 and predictions are probabilities of 1.
    unit : str
        Of the target; empty for a class.
    """

    scheme: str
    learner: str
    is_class: bool
    target: str = ""
    unit: str = ""

    @property
    def measure(self) -> str:
        """Name of the error."""
        return "Brier score" if self.is_class else "RMSE"

    def scale(self, loss: Floats) -> Floats:
        """Return the error of a mean loss: its root for a number (RMSE), the loss itself for a class (Brier score)."""
        return loss if self.is_class else np.sqrt(loss)


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Out-of-fold predictions of one target by one learner in one scheme: made once, and handed on.

    people : DataFrame
        One row per person: cohort, group and person ("{cohort}/{name}"), y.
    prediction : DataFrame, shape (person, condition and repeat)
        Rows as `people`; columns are pairs of condition and repeat; NaN where a person was not predicted.
    asked : Asked
    folds : int
        Of each repeat; 1 where they are not known.
    best : DataFrame
        The rows of the condition "best": repeat, fold, chosen, y, prediction, low, high.
    """

    people: pd.DataFrame
    prediction: pd.DataFrame
    asked: Asked
    folds: int = 1
    best: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def widen(self) -> float:
        """By how much standard errors of differences are larger than losses of independent persons would tell.

        Models of different folds share most of their training persons, so that their losses go up and down together
        from study to study: with k folds the variance is larger by 1 + k / (k - 1), however often they are repeated
        (Nadeau & Bengio 2003, doi 10.1023/A:1024068626366).
        """
        return float(np.sqrt(1 + self.folds / (self.folds - 1))) if self.folds > 1 else 1.0

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.prediction.columns.get_level_values("condition")))

    def mean_prediction(self, condition: str) -> Floats:
        """Return the prediction of each person, mean over repeats, shape (person,)."""
        return self.prediction[condition].to_numpy(float).mean(axis=1)

    def losses(self, conditions: Sequence[str]) -> Floats:
        """Return the squared error of each person under each condition, shape (person, condition).

        Repeats of the cross-validation are averaged as losses, not as predictions: a mean of predictions would be an
        ensemble, which helps a noisy condition more than a steady one.
        """
        y = self.people["y"].to_numpy(float)[:, None]
        loss = [np.square(self.prediction[name].to_numpy(float) - y).mean(axis=1) for name in conditions]
        return np.stack(loss, axis=1) if loss else np.empty((len(y), 0))

    def paired(self, conditions: Sequence[str]) -> Paired:
        """Return the losses of the persons whom every one of these conditions predicted, with their groups."""
        loss = self.losses(conditions)
        known = ~np.isnan(loss).any(axis=1)
        groups = self.people.iloc[np.flatnonzero(known)].groupby(["cohort", "group"], sort=True).ngroup()
        return Paired(tuple(conditions), loss[known], groups.to_numpy(np.int64).astype(np.int64), self.widen)

    def subset(self, keep: NDArray[np.bool_]) -> OutOfFold:
        """Return the predictions of some persons, given by a mask of shape (person,)."""
        return replace(self, people=self.people[keep].reset_index(drop=True), prediction=self.prediction[keep])

    def recentred(self, by: NDArray[np.object_]) -> OutOfFold:
        """Return predictions moved in each stratum so that their mean is the targets' there.

        What tells strata apart (cohorts, lengths of recordings) then helps no condition: each is given every
        stratum's mean for nothing, and a difference between conditions comes from persons of the same stratum.
        Means are over groups, so that a large family weighs no more than a person.

        Parameters
        ----------
        by : ndarray, shape (person,)
            Stratum of each person.
        """
        weight = 1 / self.people.groupby(["cohort", "group"])["y"].transform("size").to_numpy(float)
        offset = self.prediction.to_numpy(float) - self.people["y"].to_numpy(float)[:, None]
        moved = self.prediction.to_numpy(float).copy()
        for stratum in pd.unique(by):
            rows = by == stratum
            known = np.where(np.isnan(offset[rows]), 0.0, weight[rows, None])
            with np.errstate(invalid="ignore", divide="ignore"):
                moved[rows] -= (np.nan_to_num(offset[rows]) * known).sum(0) / known.sum(0)
        return replace(
            self, prediction=pd.DataFrame(moved, index=self.prediction.index, columns=self.prediction.columns)
        )


def every_out_of_fold(
    table: pd.DataFrame, *, is_class: bool, target: str = "", unit: str = ""
) -> dict[tuple[str, str], OutOfFold]:
    """Return the predictions of every scheme and learner of an out-of-fold table, in the table's order."""
    pairs = table[["scheme", "learner"]].drop_duplicates().itertuples(index=False, name=None)
    return {(s, way): out_of_fold_of(table, Asked(s, way, is_class, target, unit)) for s, way in pairs}


def out_of_fold_of(table: pd.DataFrame, asked: Asked) -> OutOfFold:
    """Return the predictions of one scheme and learner.

    Rows of one person, condition and repeat (several nights, say) are averaged. Persons without y are left out; an
    empty group is the person's own.

    Parameters
    ----------
    table : DataFrame
        Columns person, group, cohort, scheme, learner, condition, repeat, fold, y, prediction.
    """
    rows = table[(table["scheme"] == asked.scheme) & (table["learner"] == asked.learner) & table["y"].notna()]
    rows = with_group(rows)
    order = list(dict.fromkeys(zip(rows["condition"], rows["repeat"], strict=True)))
    mean = rows.groupby([*PERSON, "condition", "repeat"], observed=True)["prediction"].mean()
    wide = pd.DataFrame(mean.unstack(["condition", "repeat"])).reindex(
        columns=pd.MultiIndex.from_tuples(order, names=["condition", "repeat"])
    )
    people = rows.groupby(PERSON, observed=True)["y"].mean().reindex(wide.index).reset_index()
    folds = int(rows.groupby("repeat")["fold"].nunique().max()) if "fold" in rows and len(rows) else 1
    return OutOfFold(people, wide.reset_index(drop=True), asked, folds, rows[rows["condition"] == BEST])

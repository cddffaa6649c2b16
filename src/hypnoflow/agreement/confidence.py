"""How sure the scores of each labelled epoch are, and whether they are right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.facts.files import records
from hypnoflow.store.scores import EpochProbability
from hypnoflow.types import UNSCORED, StageArray

Floats = NDArray[np.floating]
WAYS = ("before", "after")  # calibration
FIELDS = ("confidence", "correct", "nll")
LOG_SMALLEST = float(np.log(np.finfo(np.float32).tiny))  # a stored probability of 0 costs 87 nat, not infinity


@dataclass(frozen=True, slots=True)
class LabelledNight:
    """The epochs of a recording that have both a label and a score.

    confidence, correct, nll : ndarray, shape (way, epoch)
        Largest probability, whether its class is the label, and minus the logarithm of the label's probability, nat;
        before and after calibration.
    abstain : ndarray of bool, shape (epoch,)
        As the store of scores marks them, below `abstain_below`.
    """

    split: str
    person: str
    confidence: Floats
    correct: NDArray[np.bool_]
    nll: Floats
    abstain: NDArray[np.bool_]
    abstain_below: float

    def table(self) -> pd.DataFrame:
        """Return a row per epoch, for a file: the three measures before and after calibration, and abstain."""
        columns = {
            f"{name}_{way}": values for name in FIELDS for way, values in zip(WAYS, getattr(self, name), strict=True)
        }
        confidence = {f"confidence_{way}": columns[f"confidence_{way}"].astype(np.float32) for way in WAYS}  # as stored
        return pd.DataFrame({**columns, **confidence, "abstain": self.abstain})


def labelled_night(split: str, person: str, labels: StageArray, at_30_s: EpochProbability) -> LabelledNight:
    """Return what calibration needs of a recording; `labels` has shape (epoch,)."""
    p = np.stack([at_30_s.uncalibrated, at_30_s.calibrated]).astype(float)  # (way, epoch, class)
    known = (labels != UNSCORED) & ~np.isnan(p).any((0, 2))
    p, true = p[:, known], labels[known].astype(int)
    with np.errstate(divide="ignore"):
        log_p = np.maximum(np.log(p[:, np.arange(len(true)), true]), LOG_SMALLEST)
    return LabelledNight(
        split, person, p.max(2), p.argmax(2) == true, -log_p, at_30_s.abstain[known], at_30_s.abstain_below
    )


def labelled_nights(nights: pd.DataFrame, epochs: pd.DataFrame) -> Iterator[LabelledNight]:
    """Yield the nights that `LabelledNight.table` wrote, those without an epoch too.

    Parameters
    ----------
    nights : DataFrame
        Columns cohort, recording, person, split and abstain_below; NaN of a store without 30-s probabilities.
    epochs : DataFrame
        Columns cohort, recording and those of the tables.
    """
    if nights.empty:
        return
    by_name = dict(iter(epochs.groupby(["cohort", "recording"]))) if len(epochs) else {}
    nothing = pd.DataFrame(columns=[*(f"{name}_{way}" for name in FIELDS for way in WAYS), "abstain"])
    for row in records(nights[nights["abstain_below"].notna()]):
        rows = by_name.get((row["cohort"], row["recording"]), nothing)
        both = {name: np.stack([rows[f"{name}_{way}"].to_numpy(float) for way in WAYS]) for name in FIELDS}
        both["correct"] = both["correct"] > 0
        person, abstain = f"{row['cohort']}/{row['person']}", rows["abstain"].to_numpy(bool)
        yield LabelledNight(row["split"], person, **both, abstain=abstain, abstain_below=row["abstain_below"])

"""Wake intrusions of the scores against the arousals that experts marked, at every resolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hypnoflow.evaluate.events import COLUMNS, match_events, published_match_events, wake_share
from hypnoflow.evaluate.metrics import UNSEEN
from hypnoflow.evaluate.opened import OpenNight
from hypnoflow.facts.files import records
from hypnoflow.night.intrusions import intrusions_of
from hypnoflow.night.stage_runs import runs_of
from hypnoflow.types import EPOCH_S, UNSCORED, StageArray

SHOWN_IOU = 0.2  # the threshold of AnySleep's figures
PUBLISHED = {"precision": "published_precision", "recall": "published_recall", "f1": "published_f1"}
MEANS = ["wake_share", "onset_abs_error_s", "duration_abs_error_s", *PUBLISHED.values()]
ABOUT = ("cohort", "recording", "person", "group", "split")


class Arousals:
    """Compares the intrusions in the scores of unseen persons with the experts' arousals.

    Only recordings with a marked arousal take part: without any, nobody may have looked for them. Arousals that reach
    into an unscored epoch are left out.

    Parameters
    ----------
    rule : mapping
        The constants of `wake_intrusions`.
    """

    def __init__(self, rule: Mapping[str, float]):
        self._rule = rule
        self._found: list[pd.DataFrame] = []
        self._about: list[str] = []

    def add(self, night: OpenNight) -> None:
        """Compare one recording."""
        self._about = self._about or [name for name in ABOUT if name in night.record]
        if night.record["split"] not in UNSEEN or night.arousals.empty:
            return
        arousals = _scored(night.arousals, night.scores.stage[1])
        if not arousals.empty:
            about = {name: night.record[name] for name in self._about}
            self._found.append(night_agreement(night.scores.stage, arousals, self._rule).assign(**about))

    def table(self) -> pd.DataFrame:
        """Return a row per recording, resolution and threshold.

        Columns are cohort, recording, person, group, split, steps_per_epoch, step_s, wake_share (of the arousals'
        time, the share scored W), what `match_events` says, and precision, recall and F1 of `published_match_events`
        as published_….
        """
        names = [*self._about, "steps_per_epoch", "step_s", "wake_share", *COLUMNS, *PUBLISHED.values()]
        return pd.concat(self._found, ignore_index=True)[names] if self._found else pd.DataFrame(columns=names)


def _scored(events: pd.DataFrame, at_30_s: StageArray) -> pd.DataFrame:
    """Return the events that lie in scored epochs of the recording."""
    lost = np.concatenate([at_30_s == UNSCORED, [True]])  # what reaches beyond the end is lost, too
    counts = np.concatenate([[0], np.cumsum(lost)])
    end = events["onset_s"] + events["duration_s"]
    first = np.clip(events["onset_s"] // EPOCH_S, 0, len(at_30_s)).astype(int)
    last = np.clip(np.ceil(end / EPOCH_S), 0, len(lost)).astype(int)
    return events[counts[last] == counts[np.minimum(first, last)]]


def night_agreement(stage: Mapping[int, StageArray], arousals: pd.DataFrame, rule: Mapping[str, float]) -> pd.DataFrame:
    """Return the agreement of one night, a row per resolution and threshold.

    Parameters
    ----------
    stage : mapping of int to ndarray of uint8, shape (step,)
        Stages of the whole recording by predictions per 30 s.
    """
    found = []
    for f, steps in sorted(stage.items()):
        runs = runs_of(steps)
        pred = intrusions_of(runs, f, **rule)
        rows = match_events(pred, arousals)
        published = published_match_events(pred, arousals)
        more = {new: published[old] for old, new in PUBLISHED.items()}
        share = wake_share(arousals, runs, f)
        found.append(rows.assign(**more, steps_per_epoch=f, step_s=EPOCH_S / f, wake_share=share))
    return pd.concat(found, ignore_index=True)


def summarise_arousals(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the agreement at `SHOWN_IOU`, a row per resolution.

    Precision, recall and F1 are those of all events together: of a person in whom nothing was found no precision is
    defined, and a mean over the others would flatter. What is left are means over persons, each the mean of their
    nights; the published figures are such means, too, with 0 where undefined.
    """
    rows = table[np.isclose(table["iou"].astype(float), SHOWN_IOU)]
    keys = ["steps_per_epoch", "step_s"]
    counts = rows.groupby(keys)[["n_matched", "n_pred", "n_true"]].sum()
    by_person = rows.groupby([*keys, "cohort", "person"])[MEANS].mean().groupby(keys)
    found = counts.join(by_person.mean()).assign(
        iou=SHOWN_IOU,
        persons=by_person.size(),
        precision=counts["n_matched"] / counts["n_pred"],
        recall=counts["n_matched"] / counts["n_true"],
        f1=2 * counts["n_matched"] / (counts["n_pred"] + counts["n_true"]),
    )
    every = records(found.reset_index())
    return [{k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()} for row in every]

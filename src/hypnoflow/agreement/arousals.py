"""Wake intrusions of the scores against the arousals that experts marked, at every resolution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hypnoflow.agreement.events import COLUMNS, match_events, published_match_events, wake_share
from hypnoflow.agreement.opened import OpenNight
from hypnoflow.night.intrusions import intrusions_of
from hypnoflow.night.stage_runs import runs_of
from hypnoflow.types import EPOCH_S, UNSCORED, UNSEEN, StageArray

PUBLISHED = {"precision": "published_precision", "recall": "published_recall", "f1": "published_f1"}
ABOUT = ("cohort", "recording", "person", "group", "split")


def arousals_found(night: OpenNight, rule: Mapping[str, float]) -> pd.DataFrame:
    """Return how the intrusions of an unseen person's night agree with the experts' arousals.

    Only recordings with a marked arousal take part: without any, nobody may have looked for them. Arousals that reach
    into an unscored epoch are left out.

    Parameters
    ----------
    rule : mapping
        The constants of `wake_intrusions`.

    Returns
    -------
    DataFrame
        A row per resolution and threshold, none where the night takes no part: the columns of `ABOUT` that its record
        has, steps_per_epoch, step_s, wake_share (of the arousals' time, the share scored W), what `match_events` says,
        and precision, recall and F1 of `published_match_events` as published_….
    """
    about = {name: night.record[name] for name in ABOUT if name in night.record}
    names = [*about, "steps_per_epoch", "step_s", "wake_share", *COLUMNS, *PUBLISHED.values()]
    if night.record["split"] not in UNSEEN or night.arousals.empty:
        return pd.DataFrame(columns=names)
    arousals = _scored(night.arousals, night.scores.stage[1])
    if arousals.empty:
        return pd.DataFrame(columns=names)
    return night_agreement(night.scores.stage, arousals, rule).assign(**about)[names]


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

"""Wake intrusions: short stretches of wake inside sleep, as arousals look in a fine hypnogram."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hypnoflow.config import Features
from hypnoflow.features._dictionary import Column, Hypnogram, feature
from hypnoflow.types import EPOCH_S, UNSCORED, StageArray, W, is_asleep


def wake_intrusions(
    stage: StageArray,
    steps_per_epoch: int,
    *,
    min_s: float = 3.0,
    max_s: float = 15.0,
    gap: float = 0.1,
    sleep_before_s: float = 10.0,
) -> pd.DataFrame:
    """Find arousal-like stretches of wake by the rule of AnySleep (arXiv 2512.14461, section on arousals).

    Runs of W are merged with the next one while the gap is at most `gap` of the merged length and that length is at
    most `max_s`; a merged run counts if it lasts `min_s` to `max_s` and at least `sleep_before_s` without W lie
    before it. What is unscored is no sleep either: after a gap that time begins anew.

    Parameters
    ----------
    stage : ndarray of uint8, shape (step,)
    steps_per_epoch : int
        Predictions per 30 s.
    min_s, max_s, sleep_before_s : float
        Seconds.
    gap : float
        Share of the merged length.

    Returns
    -------
    DataFrame
        Columns onset_s and duration_s, in order of time.
    """
    step_s = EPOCH_S / steps_per_epoch
    wake = np.r_[False, stage == W, False]
    onsets, ends = (np.flatnonzero(np.diff(wake.astype(np.int8)) == sign) * step_s for sign in (1, -1))
    merged: list[list[float]] = []
    for onset, end in zip(onsets, ends, strict=True):
        length = end - merged[-1][0] if merged else np.inf
        if merged and length <= max_s and onset - merged[-1][1] <= gap * length:
            merged[-1][1] = end
        else:
            merged.append([onset, end])
    runs = np.array(merged).reshape(-1, 2)
    lost = np.r_[0.0, (np.flatnonzero(stage == UNSCORED) + 1) * step_s]
    after_gap = lost[np.searchsorted(lost, runs[:, 0], side="right") - 1]
    before = np.maximum(np.r_[0.0, runs[:, 1]][: len(runs)], after_gap)
    duration = runs[:, 1] - runs[:, 0]
    tiny = 1e-9  # step lengths are not all binary fractions
    keep = (duration >= min_s - tiny) & (duration <= max_s + tiny) & (runs[:, 0] - before >= sleep_before_s - tiny)
    return pd.DataFrame({"onset_s": runs[keep, 0], "duration_s": duration[keep]})


@feature(
    "intrusions",
    [
        Column("intrusions_per_h", "1/h", "arousal-like wake intrusions per hour of sleep"),
        Column("intrusion_mean_s", "s", "mean length of a wake intrusion; 0 where there is none"),
    ],
    "AnySleep, arXiv 2512.14461, rule for arousals",
)
def intrusions_per_h(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return rate and mean length of the intrusions within the sleep period; NaN where there is no sleep."""
    stage = hypnogram.asleep
    found = wake_intrusions(
        stage,
        hypnogram.steps_per_epoch,
        min_s=options.intrusion_min_s,
        max_s=options.intrusion_max_s,
        gap=options.intrusion_gap,
        sleep_before_s=options.intrusion_sleep_before_s,
    )
    asleep_h = np.count_nonzero(is_asleep(stage)) * hypnogram.step_s / 3600
    if not asleep_h:
        return {"intrusions_per_h": np.nan, "intrusion_mean_s": np.nan}
    mean_s = float(found["duration_s"].mean()) if len(found) else 0.0
    return {"intrusions_per_h": len(found) / asleep_h, "intrusion_mean_s": mean_s}

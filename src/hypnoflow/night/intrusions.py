"""Wake intrusions: short stretches of wake inside sleep, as arousals look in a fine hypnogram."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hypnoflow.night.stage_runs import Ints, Runs, runs_of
from hypnoflow.types import EPOCH_S, UNSCORED, StageArray, W

TINY_S = 1e-9  # step lengths are not all binary fractions


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
    before it. What is unscored is no sleep either: after a gap that time begins anew, as it does at the start.

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
    options = {"min_s": min_s, "max_s": max_s, "gap": gap, "sleep_before_s": sleep_before_s}
    return intrusions_of(runs_of(stage), steps_per_epoch, **options)


def intrusions_of(
    runs: Runs, steps_per_epoch: int, *, min_s: float, max_s: float, gap: float, sleep_before_s: float
) -> pd.DataFrame:
    """Return what `wake_intrusions` finds in a hypnogram of which the runs are known."""
    step_s = EPOCH_S / steps_per_epoch
    wake = runs.stage == W
    start, stop = _merge(runs.start[wake], runs.stop[wake], gap, (max_s + TINY_S) / step_s)
    lost = np.concatenate([[0], runs.stop[runs.stage == UNSCORED]])
    after_gap = lost[np.searchsorted(lost, start, side="right") - 1]
    before = np.maximum(np.concatenate([[0], stop[:-1]])[: len(start)], after_gap)
    duration_s = (stop - start) * step_s
    rested = (start - before) * step_s >= sleep_before_s - TINY_S
    keep = rested & (duration_s >= min_s - TINY_S) & (duration_s <= max_s + TINY_S)
    return pd.DataFrame({"onset_s": start[keep] * step_s, "duration_s": duration_s[keep]})


def _merge(start: Ints, stop: Ints, gap: float, longest: float) -> tuple[Ints, Ints]:
    """Merge each run, from the first on, with those after it as long as the rule allows; all in steps.

    Most runs cannot merge even with the next one. Only from those that can does a loop go on.
    """
    length = stop[1:] - start[:-1]
    can = (start[1:] - stop[:-1] <= gap * length + TINY_S) & (length <= longest)
    opens = np.ones(len(start), bool)  # whether a merged run begins here
    starts, stops = start.tolist(), stop.tolist()  # plain integers, three times as fast in a loop
    at, last = -1, len(starts) - 1
    for head in np.flatnonzero(can).tolist():
        if head <= at:
            continue
        at, onset = head + 1, starts[head]
        while at < last:
            merged = stops[at + 1] - onset
            if merged > longest or starts[at + 1] - stops[at] > gap * merged + TINY_S:
                break
            at += 1
        opens[head + 1 : at + 1] = False
    closes = np.concatenate([opens[1:], np.ones(min(1, len(start)), bool)])
    return start[opens], stop[closes]

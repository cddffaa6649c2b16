"""Micro-sleeps: short stretches of sleep inside wake, the counterpart of wake intrusions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hypnoflow.features._dictionary import Column, feature
from hypnoflow.night.hypnogram import NAN, Hypnogram, ratio
from hypnoflow.night.stage_runs import Runs
from hypnoflow.types import W, is_asleep

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features


def micro_sleeps(runs: Runs, step_s: float, *, min_s: float, max_s: float, wake_s: float) -> pd.DataFrame:
    """Return the stretches of sleep, of any stages, that wake encloses.

    Parameters
    ----------
    step_s : float
        Length of a step, s.
    min_s, max_s : float
        Shortest and longest, both included.
    wake_s : float
        Least length of the run of W on either side.

    Returns
    -------
    DataFrame
        Columns onset_s and duration_s.
    """
    asleep = np.concatenate([[False], is_asleep(runs.stage), [False]]).astype(np.int8)
    first, last = (np.flatnonzero(np.diff(asleep) == sign) for sign in (1, -1))  # runs; last is the one after
    awake_s = np.concatenate([[-1.0], np.where(runs.stage == W, runs.length * step_s, -1.0), [-1.0]])  # no wake: -1
    enclosed = np.minimum(awake_s[first], awake_s[last + 1]) >= wake_s - 1e-9
    onset = runs.start[first] * step_s
    duration = (runs.stop[last - 1] - runs.start[first]) * step_s
    keep = enclosed & (duration >= min_s - 1e-9) & (duration <= max_s + 1e-9)
    return pd.DataFrame({"onset_s": onset[keep], "duration_s": duration[keep]})


COLUMNS = [
    Column("microsleeps_per_h", "1/h", "micro-sleeps per hour of wake in the whole recording; NaN without wake"),
    Column("microsleep_mean_s", "s", "mean length of a micro-sleep; NaN where there is none"),
    Column("microsleep_share", "1", "time in micro-sleeps in the time of wake and micro-sleeps; NaN without wake"),
]


@feature("microsleeps", COLUMNS, "BERN criteria, 1 to 15 s: Hertig-Godeschalk et al. 2020, Sleep 43")
def microsleeps(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return rate, length and share of the micro-sleeps in all wake of the recording, also before sleep onset."""
    runs, step_s = hypnogram.runs, hypnogram.step_s
    shortest, longest = options.microsleep_s
    found = micro_sleeps(runs, step_s, min_s=shortest, max_s=longest, wake_s=options.microsleep_wake_s)
    length = found["duration_s"].to_numpy()
    awake_h = float(runs.steps_of()[W] * step_s / 3600)
    mean_s = float(length.mean()) if len(length) else NAN
    asleep_h = float(length.sum() / 3600)
    share = ratio(asleep_h, awake_h + asleep_h) if awake_h else NAN
    return dict(zip((c.name for c in COLUMNS), (ratio(len(length), awake_h), mean_s, share), strict=True))

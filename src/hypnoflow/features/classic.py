"""The classic statistics of a hypnogram, the yardstick that anything finer has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hypnoflow.features._dictionary import Column, feature
from hypnoflow.night.hypnogram import NAN, Hypnogram, ratio
from hypnoflow.night.stage_runs import Runs, runs_of
from hypnoflow.types import STAGES, R, StageArray, W, is_asleep

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

PERSISTENT_MIN = 5.0
COLUMNS = [
    Column("tib_min", "min", "time in bed: the whole recording"),
    Column("spt_min", "min", "sleep period: from the first to the last step of sleep"),
    Column("tst_min", "min", "total sleep time"),
    Column("waso_min", "min", "wake within the sleep period"),
    Column("se_percent", "%", "sleep efficiency: total sleep time in time in bed"),
    Column("sme_percent", "%", "sleep maintenance efficiency: total sleep time in the sleep period"),
    Column("sfi_per_h", "1/h", "sleep fragmentation index: changes from sleep to wake per hour of sleep"),
    Column("sol_min", "min", "sleep onset latency: from the start to the first step of sleep"),
    Column("sol_5min_min", "min", "latency of persistent sleep: to the first 5 min of sleep without a break"),
    Column("rem_latency_min", "min", "from sleep onset to the first step of R"),
    *(Column(f"{s.lower()}_percent", "%", f"share of {s} in total sleep time") for s in STAGES[1:]),
]


def classic_statistics(stage: StageArray, step_s: float) -> dict[str, float]:
    """Return the sleep statistics of the AASM manual (Berry et al., section on the sleep report).

    They are YASA's (0.8.1, `Hypnogram.sleep_statistics`) but for REM latency, which YASA counts from the start.

    Parameters
    ----------
    stage : ndarray of uint8, shape (step,)
        The whole recording, taken as time in bed; unscored steps are neither sleep nor wake.
    step_s : float
        Length of a step, s.

    Returns
    -------
    dict
        tib_min, spt_min, tst_min, waso_min, se_percent, sme_percent, sfi_per_h, sol_min, sol_5min_min,
        rem_latency_min and the share of each sleep stage in TST, percent. Of a night
        without sleep SPT, TST and SE are 0 and all others NaN, of one without a single scored step they are NaN too;
        without R its latency is NaN. Unscored time is part of the time in bed and of latencies, as in YASA.
    """
    return statistics_of(runs_of(stage), step_s)


def statistics_of(runs: Runs, step_s: float) -> dict[str, float]:
    """Return what `classic_statistics` does of a hypnogram of which the runs are known."""
    minute = step_s / 60
    sleeping = np.flatnonzero(is_asleep(runs.stage))
    tib = float(runs.stop[-1] * minute) if len(runs.stop) else 0.0
    if not len(sleeping):
        none = dict.fromkeys((column.name for column in COLUMNS), NAN)
        if not runs.scored.any():
            return none | {"tib_min": tib}
        return none | {"tib_min": tib, "spt_min": 0.0, "tst_min": 0.0, "se_percent": ratio(0.0, tib)}
    first, last = sleeping[0], sleeping[-1]
    onset = runs.start[first]
    steps = runs.steps_of()
    tst = float(steps[W + 1 :].sum() * minute)
    spt = float((runs.stop[last] - onset) * minute)
    inside = slice(first, last + 1)
    rem = runs.start[runs.stage == R]
    values = (
        *(tib, spt, tst),
        float(runs.length[inside][runs.stage[inside] == W].sum() * minute),
        *(100 * tst / tib, 100 * tst / spt),
        60 * np.count_nonzero(is_asleep(runs.stage[:-1]) & (runs.stage[1:] == W)) / tst,
        float(onset * minute),
        _persistent(runs, minute),
        float((rem[0] - onset) * minute) if len(rem) else NAN,
        *(100 * steps[W + 1 :] * minute / tst).tolist(),
    )
    return dict(zip((column.name for column in COLUMNS), values, strict=True))


def _persistent(runs: Runs, minute: float) -> float:
    """Return the latency of the first `PERSISTENT_MIN` of unbroken sleep of any stages, min."""
    asleep = np.concatenate([[False], is_asleep(runs.stage), [False]]).astype(np.int8)
    begins, ends = (np.flatnonzero(np.diff(asleep) == sign) for sign in (1, -1))
    start, stop = runs.start[begins], runs.stop[ends - 1]
    long = np.flatnonzero((stop - start) * minute >= PERSISTENT_MIN - 1e-9)
    return float(start[long[0]] * minute) if len(long) else NAN


@feature(
    "classic", COLUMNS, "AASM manual for the scoring of sleep; YASA 0.8.1, Vallat and Walker 2021, eLife 10:e70092"
)
def classic(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return the classic statistics at the hypnogram's own resolution."""
    return statistics_of(hypnogram.runs, hypnogram.step_s)

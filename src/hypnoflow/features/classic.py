"""The classic statistics of a hypnogram, the yardstick that anything finer has to beat."""

from __future__ import annotations

import numpy as np

from hypnoflow.config import Features
from hypnoflow.features._dictionary import Column, Hypnogram, feature
from hypnoflow.types import STAGES, R, StageArray, W, is_asleep


def classic_statistics(stage: StageArray, step_s: float) -> dict[str, float]:
    """Return the sleep statistics of the AASM manual (Berry et al., section on the sleep report).

    Parameters
    ----------
    stage : ndarray of uint8, shape (step,)
        The whole recording, taken as time in bed; unscored steps are neither sleep nor wake.
    step_s : float
        Length of a step, s.

    Returns
    -------
    dict
        tst_min, se_percent, sol_min, waso_min, rem_latency_min and the share of each sleep stage in TST, percent.
        Without sleep: TST and SE 0, SOL the whole recording, the rest NaN; without REM its latency is NaN.
    """
    minute = step_s / 60
    sleeping = is_asleep(stage)
    tst = float(sleeping.sum() * minute)
    names = ("tst_min", "se_percent", "sol_min", "waso_min", "rem_latency_min")
    shares = [f"{name.lower()}_percent" for name in STAGES[1:]]
    if not tst:
        return dict(zip((*names, *shares), (0.0, 0.0, len(stage) * minute, *[np.nan] * 6), strict=True))
    onset = int(sleeping.argmax())
    rem = np.flatnonzero(stage == R)
    values = (
        tst,
        100 * tst / (len(stage) * minute),
        onset * minute,
        float(np.count_nonzero(stage[onset:] == W) * minute),
        float((rem[0] - onset) * minute) if len(rem) else np.nan,
    )
    each = [100 * float(np.count_nonzero(stage == code) * minute) / tst for code in range(1, len(STAGES))]
    return dict(zip((*names, *shares), (*values, *each), strict=True))


@feature(
    "classic",
    [
        Column("tst_min", "min", "total sleep time"),
        Column("se_percent", "%", "sleep efficiency: total sleep time in the whole recording"),
        Column("sol_min", "min", "sleep onset latency: from the start to the first step of sleep"),
        Column("waso_min", "min", "wake after sleep onset, to the end of the recording"),
        Column("rem_latency_min", "min", "from sleep onset to the first step of R"),
        *(Column(f"{s.lower()}_percent", "%", f"share of {s} in total sleep time") for s in STAGES[1:]),
    ],
    "AASM manual for the scoring of sleep, parameters to be reported",
)
def classic(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return the classic statistics at the hypnogram's own resolution."""
    return classic_statistics(hypnogram.stage, hypnogram.step_s)

"""Wake intrusions in sleep: how often, from which stage, how long, how regular."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hypnoflow.features._dictionary import Column, feature
from hypnoflow.night.hypnogram import NAN, Floats, Hypnogram, ratio, ratios
from hypnoflow.night.intrusions import intrusions_of
from hypnoflow.types import STAGES, W

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

SLEEP = STAGES[1:]
COLUMNS = [
    Column("intrusions_per_h", "1/h", "arousal-like wake intrusions per hour of sleep; NaN without sleep"),
    Column("intrusion_mean_s", "s", "mean length of a wake intrusion; NaN where there is none"),
    Column("intrusion_sd_s", "s", "standard deviation of their length; NaN for fewer than two"),
    *(
        Column(f"intrusions_per_h_{stage}", "1/h", f"wake intrusions out of {stage}, per hour of {stage}")
        for stage in SLEEP
    ),
    Column("intrusion_interval_s", "s", "median time from one onset to the next; NaN without any"),
    Column(
        "intrusion_interval_cv", "1", "coefficient of variation of these times, 1 if random; NaN for fewer than two"
    ),
    Column(
        "intrusion_periodic_share",
        "1",
        "share of these times that lie in a row of three or more within the periodic range; NaN for fewer than two",
    ),
]


@feature(
    "intrusions", COLUMNS, "AnySleep, arXiv 2512.14461, rule for arousals; periodicity index: Ferri 2006, Sleep 29"
)
def intrusions(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return rates, lengths and regularity of the intrusions within the sleep period."""
    runs, step_s = hypnogram.sleep_runs, hypnogram.step_s
    found = intrusions_of(runs, hypnogram.steps_per_epoch, **options.intrusion_rule())
    onset, length = found["onset_s"].to_numpy(float), found["duration_s"].to_numpy(float)
    first = np.searchsorted(runs.start, np.round(onset / step_s).astype(int))  # the run of W that opens it
    before = np.bincount(runs.stage[first[first > 0] - 1], minlength=len(STAGES))
    by_stage = ratios(before[W + 1 : len(STAGES)], hypnogram.stage_h[W + 1 :])
    values = (
        ratio(len(onset), hypnogram.asleep_h),
        float(length.mean()) if len(length) else NAN,
        float(length.std(ddof=1)) if len(length) > 1 else NAN,
        *by_stage.tolist(),
        *_intervals(np.diff(onset), *options.periodic_s),
    )
    return dict(zip((c.name for c in COLUMNS), values, strict=True))


def _intervals(between: Floats, low: float, high: float) -> tuple[float, float, float]:
    """Return median, coefficient of variation and periodic share of the times between events, shape (interval,)."""
    median = float(np.median(between)) if len(between) else NAN
    if len(between) < 2:
        return median, NAN, NAN
    variation = float(between.std(ddof=1) / between.mean())
    return median, variation, periodic_share(between, low, high)


def periodic_share(between: Floats, low: float, high: float) -> float:
    """Return the share of intervals that stand in a row of at least three above `low` and up to `high` (Ferri 2006)."""
    fits = np.concatenate([[False], (between > low) & (between <= high), [False]])
    start, stop = (np.flatnonzero(np.diff(fits.astype(np.int8)) == sign) for sign in (1, -1))
    rows = stop - start
    return float(rows[rows >= 3].sum() / len(between))

"""Stage stability around wake intrusions: does sleep go on where it was, and how restless is it before and after?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hypnoflow.features._dictionary import Column, feature
from hypnoflow.night.hypnogram import NAN, Floats, Hypnogram, ratio
from hypnoflow.night.intrusions import intrusions_of
from hypnoflow.types import N1, W, is_asleep

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

NONE = "; NaN without an intrusion that has sleep before and after"
COLUMNS = [
    Column("event_return_share", "1", "share of intrusions after which the stage before them comes first" + NONE),
    Column("event_return_s", "s", "median time from an intrusion's end to the stage before it, if within the window"),
    Column("event_lighter_share", "1", "share of intrusions from deeper sleep after which N1 comes first; NaN without"),
    Column("event_changes_before_per_min", "1/min", "changes of stage in the window before an intrusion" + NONE),
    Column("event_changes_after_per_min", "1/min", "changes of stage in the window after it" + NONE),
]


@feature("stability", COLUMNS, "chosen; intrusions by the rule of AnySleep, arXiv 2512.14461")
def stability(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return how the stage holds around intrusions; windows reach no further than the sleep period."""
    runs, step_s = hypnogram.sleep_runs, hypnogram.step_s
    found = intrusions_of(runs, hypnogram.steps_per_epoch, **options.intrusion_rule())
    onset = np.round(found["onset_s"].to_numpy(float) / step_s).astype(int)
    stop = onset + np.round(found["duration_s"].to_numpy(float) / step_s).astype(int)
    before, after = np.searchsorted(runs.start, onset) - 1, np.searchsorted(runs.start, stop)
    inside = (before >= 0) & (after < len(runs.start))
    onset, stop, before, after = (x[inside] for x in (onset, stop, before, after))
    slept = is_asleep(runs.stage[before]) & is_asleep(runs.stage[after])
    onset, stop, before, after = (x[slept] for x in (onset, stop, before, after))
    names = [column.name for column in COLUMNS]
    if not len(onset):
        return dict.fromkeys(names, NAN)
    was, then = runs.stage[before], runs.stage[after]
    window = options.event_window_s / step_s
    deep = was > N1
    back = _steps_to(hypnogram, was, stop, window) * step_s
    values = (
        float((was == then).mean()),
        float(np.median(back)) if len(back) else NAN,
        ratio(np.count_nonzero(then[deep] == N1), np.count_nonzero(deep)),
        _changes_per_min(hypnogram, onset - window, onset),
        _changes_per_min(hypnogram, stop + 1, stop + window),
    )
    return dict(zip(names, values, strict=True))


def _steps_to(hypnogram: Hypnogram, stage: np.ndarray, since: np.ndarray, window: float) -> Floats:
    """Return the steps from each of `since` to the next of its `stage`, of those that come within the window."""
    runs = hypnogram.sleep_runs
    waits = np.full(len(stage), np.inf)
    for code in np.unique(stage[stage > W]):
        mine = stage == code
        starts = np.append(runs.start[runs.stage == code], np.iinfo(np.int64).max)
        waits[mine] = starts[np.searchsorted(starts, since[mine])] - since[mine]
    return waits[waits <= window]


def _changes_per_min(hypnogram: Hypnogram, start: np.ndarray, stop: np.ndarray) -> float:
    """Return the changes of stage per minute in windows of steps, each cut at the ends of the sleep period.

    A change counts if it lies in [start, stop), which leaves out those to and from the intrusion itself.
    """
    runs = hypnogram.sleep_runs
    end = int(runs.stop[-1])
    start, stop = np.maximum(start, 0), np.minimum(stop, end)
    known = runs.scored
    change = runs.start[1:][known[1:] & known[:-1]]
    counts = np.searchsorted(change, stop, side="left") - np.searchsorted(change, start, side="left")
    return ratio(counts.sum(), np.maximum(stop - start, 0).sum() * hypnogram.step_s / 60)

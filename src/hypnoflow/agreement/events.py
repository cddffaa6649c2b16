"""Events found in a hypnogram against events that experts marked: one-to-one matching by overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.night.stage_runs import Runs
from hypnoflow.types import EPOCH_S, W

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TINY = 1e-9
IOU = tuple(i / 10 for i in range(11))


def match_events(pred: pd.DataFrame, true: pd.DataFrame, iou: float | Sequence[float] = IOU) -> pd.DataFrame:
    """Match events one to one, as many as possible, and among those ways with the largest sum of IoU.

    Each threshold is matched by itself. Overlapping `true` events, two scorers' marks of one arousal, are merged
    first; `pred` is taken as it is.

    Parameters
    ----------
    pred, true : DataFrame
        Columns onset_s and duration_s, in any order.
    iou : float or sequence of float
        Least intersection over union, 0 to 1, of a match; an overlap there has to be even at 0.

    Returns
    -------
    DataFrame
        A row per threshold: iou, n_pred, n_true, n_matched, precision, recall, f1; onset_error_s and
        duration_error_s, predicted minus true, are means over matches, their absolute values `…_abs_error_s`.
        Precision without a prediction, recall without a true event, F1 without both and errors without a match are
        NaN.

    Raises
    ------
    ValueError
        For a threshold outside 0 to 1, or an event whose time is no number or whose duration is negative.
    """
    limits = np.atleast_1d(np.asarray(iou, float))
    if not ((limits >= 0) & (limits <= 1)).all():
        raise ValueError(f"iou must be from 0 to 1, found {limits.tolist()}")
    found, marked = _intervals(pred), merge_overlapping(_intervals(true))
    p, t, shared = _overlaps(found, marked)
    rows = []
    for limit in limits:
        enough = shared >= limit - TINY
        i, j = _assign(p[enough], t[enough], shared[enough])
        errors = np.stack([found[i, 0] - marked[j, 0], np.diff(found[i])[:, 0] - np.diff(marked[j])[:, 0]])
        rows.append((limit, len(found), len(marked), len(i), *_rates(len(i), len(found), len(marked)), *_means(errors)))
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = [
    *("iou", "n_pred", "n_true", "n_matched", "precision", "recall", "f1"),
    *("onset_error_s", "duration_error_s", "onset_abs_error_s", "duration_abs_error_s"),
]


def published_match_events(pred: pd.DataFrame, true: pd.DataFrame, iou: Sequence[float] = IOU) -> pd.DataFrame:
    """Match as AnySleep's published code does, defects and all: for comparison with the paper and nothing else.

    A prediction is right where its best IoU with any true event exceeds the threshold, so several may be right about
    one event, and an IoU of 1 is never enough at 1. True events count as found at every threshold once they are at the
    lowest, since all thresholds share one list of them. Overlapping true events are not merged.

    Returns
    -------
    DataFrame
        A row per threshold: iou, n_pred, n_true, n_matched (true positives), precision, recall, f1; 0 where undefined.
    """
    limits = np.asarray(iou, float)
    found, marked = _intervals(pred), _intervals(true)
    p, t, shared = _overlaps(found, marked)
    first_best = np.lexsort((t, -shared, p))  # the best of each prediction comes first; the earliest of equals
    _, at = np.unique(p[first_best], return_index=True)
    best, whose = shared[first_best][at], t[first_best][at]
    seen = len(np.unique(whose[best > limits.min()])) if len(limits) else 0
    rows = []
    for limit in limits:
        right = int((best > limit).sum())
        precision = right / len(found) if len(found) else 0.0
        counted = right + len(marked) - seen
        recall = right / counted if counted else 0.0
        f1 = 2 * precision * recall / (precision + recall) if right else 0.0
        rows.append((limit, len(found), len(marked), right, precision, recall, f1))
    return pd.DataFrame(rows, columns=COLUMNS[:7])


def wake_share(events: pd.DataFrame, runs: Runs, steps_per_epoch: int) -> float:
    """Return the share of the events' time that is scored W; of events that overlap, time counts once.

    Parameters
    ----------
    events : DataFrame
        Columns onset_s and duration_s.
    runs : Runs
        Of the whole recording's stages at `steps_per_epoch` predictions per 30 s.

    Returns
    -------
    float
        NaN where the events have no time.
    """
    marked = merge_overlapping(_intervals(events)) * steps_per_epoch / EPOCH_S  # in steps
    total = np.diff(marked).sum()
    if not total:
        return float("nan")
    wake = runs.stage == W
    start, stop = runs.start[wake], runs.stop[wake]
    if not len(start):
        return 0.0
    before = np.concatenate([[0], np.cumsum(stop - start)])  # steps of W before each run
    last = np.searchsorted(start, marked, side="right")  # runs begun by then
    current = np.maximum(last - 1, 0)
    elapsed = np.where(last > 0, np.clip(marked - start[current], 0, (stop - start)[current]), 0)
    return float(np.diff(before[current] + elapsed).sum() / total)


def _intervals(events: pd.DataFrame) -> Floats:
    """Return onset and end, shape (event, 2), in order of onset."""
    onset, duration = events["onset_s"].to_numpy(float), events["duration_s"].to_numpy(float)
    if not (np.isfinite(onset) & np.isfinite(duration) & (duration >= 0)).all():
        raise ValueError("events need a finite onset_s, and a finite duration_s that is not negative")
    both = np.column_stack([onset, onset + duration])
    return both[np.lexsort((both[:, 1], both[:, 0]))]


def merge_overlapping(intervals: Floats) -> Floats:
    """Return the unions of intervals that overlap, shape (event, 2); those that only touch stay apart."""
    if not len(intervals):
        return intervals
    reach = np.maximum.accumulate(intervals[:, 1])
    opens = np.concatenate([[True], intervals[1:, 0] >= reach[:-1]])
    last = np.concatenate([np.flatnonzero(opens)[1:] - 1, [len(intervals) - 1]])
    return np.column_stack([intervals[opens, 0], reach[last]])


def _overlaps(pred: Floats, true: Floats) -> tuple[Ints, Ints, Floats]:
    """Return the pairs that overlap, by number, with their IoU; the order is that of pred, then true.

    True events may overlap each other: those that a prediction can reach begin before its end, and by the latest end
    so far they cannot all have ended before its onset.
    """
    reach = np.maximum.accumulate(true[:, 1])
    first = np.searchsorted(reach, pred[:, 0], side="right")
    last = np.searchsorted(true[:, 0], pred[:, 1], side="left")
    n = np.maximum(last - first, 0)
    p = np.repeat(np.arange(len(pred)), n)
    t = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
    shared = np.minimum(pred[p, 1], true[t, 1]) - np.maximum(pred[p, 0], true[t, 0])
    union = np.diff(pred[p])[:, 0] + np.diff(true[t])[:, 0] - shared
    real = shared > 0
    return p[real], t[real], shared[real] / union[real]


def _assign(p: Ints, t: Ints, iou: Floats) -> tuple[Ints, Ints]:
    """Return the pairs of the best matching; only what competes for a partner needs the assignment problem."""
    if not len(p):
        return p, t
    rivals = (np.bincount(p)[p] > 1) | (np.bincount(t)[t] > 1)
    if not rivals.any():
        return p, t
    from scipy.optimize import linear_sum_assignment  # a fifth of a job's start, which few nights need

    rows, i = np.unique(p[rivals], return_inverse=True)
    columns, j = np.unique(t[rivals], return_inverse=True)
    gain = np.zeros((len(rows), len(columns)))
    gain[i, j] = 1 + iou[rivals] / (min(gain.shape) + 1)  # one match more outweighs every sum of IoU
    a, b = linear_sum_assignment(gain, maximize=True)
    real = gain[a, b] > 0
    pairs = np.concatenate([p[~rivals], rows[a[real]]]), np.concatenate([t[~rivals], columns[b[real]]])
    order = np.argsort(pairs[0])
    return pairs[0][order], pairs[1][order]


def _rates(matched: int, n_pred: int, n_true: int) -> tuple[float, float, float]:
    nan = float("nan")
    both = n_pred + n_true
    return (
        matched / n_pred if n_pred else nan,
        matched / n_true if n_true else nan,
        2 * matched / both if both else nan,
    )


def _means(errors: Floats) -> list[float]:
    """Return the means of errors, shape (2, match), then those of their absolute values."""
    if not errors.shape[1]:
        return [float("nan")] * 4
    return [*errors.mean(1).tolist(), *np.abs(errors).mean(1).tolist()]

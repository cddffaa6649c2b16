"""From the runs of labels in a file to one stage code per 30-s epoch, and to a consensus of several scorers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from hypnoflow.cohorts.layouts.base import Alignment
from hypnoflow.errors import RecordingError
from hypnoflow.types import EPOCH_S, UNSCORED, StageArray, StageRun

TOLERANCE_S = 0.5


def to_codes(runs: Sequence[StageRun], stages: Mapping[str, int]) -> list[tuple[float, float, int]]:
    """Return (onset_s, duration_s, code) of each run.

    Raises
    ------
    RecordingError
        For a label that the cohort's map does not know, with its number, its first time and all that is known.
    """
    unknown = Counter(run.label for run in runs if run.label not in stages)
    if unknown:
        label, count = unknown.most_common(1)[0]
        first = next(run.onset_s for run in runs if run.label == label)
        raise RecordingError(
            f"unmapped stage label {label!r} ({count} runs, first at {first:g} s); known: {', '.join(stages)}",
            hint="map it in `stages` of the cohort's file in src/hypnoflow/cohorts",
        )
    return [(run.onset_s, run.duration_s, stages[run.label]) for run in runs]


def to_epochs(
    runs: Sequence[StageRun],
    stages: Mapping[str, int],
    alignment: Alignment,
    duration_s: float,
    epoch_s: float = EPOCH_S,
) -> tuple[StageArray, float]:
    """Lay runs on the grid of epochs, of 30 s or shorter, that starts with the signals.

    An epoch takes the code that covers most of it, and at least half; uncovered epochs are unscored. Equal cover
    goes to the code that comes first in time.

    Returns
    -------
    stage : ndarray of uint8, shape (epoch,)
        As many epochs as fit into `duration_s`.
    excess_s : float
        How much longer the hypnogram is than the signals; negative where it is shorter.

    Raises
    ------
    RecordingError
        For an unmapped label, for runs that overlap, and for a hypnogram that is longer or shorter than the
        signals by more than the cohort's rule allows.
    """
    coded = to_codes(runs, stages)
    if not coded:
        raise RecordingError("the hypnogram is empty")
    counted = [r.onset_s + r.duration_s for r in runs if r.label not in alignment.ignored]
    excess_s = max(counted, default=0.0) - duration_s
    _check_length(excess_s, alignment, duration_s)
    n = int((duration_s + TOLERANCE_S) // epoch_s)
    cover = np.zeros((n, UNSCORED + 1))
    began = np.full((n, UNSCORED + 1), np.inf)
    for onset_s, length_s, code in sorted(coded):
        first, last = int(onset_s // epoch_s), int(np.ceil((onset_s + length_s) / epoch_s))
        for epoch in range(max(first, 0), min(last, n)):
            start = epoch * epoch_s
            began[epoch, code] = min(began[epoch, code], onset_s)
            cover[epoch, code] += min(onset_s + length_s, start + epoch_s) - max(onset_s, start)
    crowded = np.flatnonzero(cover.sum(1) > epoch_s + TOLERANCE_S)
    if len(crowded):
        raise RecordingError(f"stages overlap in {len(crowded)} epochs, first at {crowded[0] * epoch_s:g} s")
    leads = cover >= cover.max(1, keepdims=True) - 1e-6
    stage = np.where(leads, began, np.inf).argmin(1).astype(np.uint8)
    stage[cover.max(1) < epoch_s / 2 - 1e-6] = UNSCORED
    return stage, excess_s


def _check_length(excess_s: float, alignment: Alignment, duration_s: float) -> None:
    if excess_s > alignment.overrun_s + TOLERANCE_S:
        raise RecordingError(
            f"the hypnogram is {excess_s:g} s longer than the signals ({duration_s:g} s); "
            f"this cohort's rule allows {alignment.overrun_s:g} s",
            hint="the signal file may be truncated, or belong to another night",
        )
    if -excess_s > alignment.short_s + TOLERANCE_S:
        raise RecordingError(
            f"the hypnogram is {-excess_s:g} s shorter than the signals ({duration_s:g} s); "
            f"this cohort's rule allows {alignment.short_s:g} s",
            hint="the annotation file may be truncated, or belong to another night",
        )

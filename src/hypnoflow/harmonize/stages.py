"""From the runs of labels in a file to one stage code per 30-s epoch, and to a consensus of several scorers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hypnoflow.cohorts._base import Alignment
from hypnoflow.errors import RecordingError
from hypnoflow.types import EPOCH_S, STAGES, UNSCORED, StageArray, StageRun

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


def soft_agreement(scorers: np.ndarray) -> np.ndarray:
    """Return how well each scorer agrees with the others, from 0 to 1.

    Parameters
    ----------
    scorers : ndarray of int, shape (scorer, epoch)
        Stage codes; an epoch that a scorer left unscored does not count for that scorer.

    Notes
    -----
    Soft-agreement of Guillot et al. 2020, doi 10.1109/TNSRE.2020.3011181: the others' votes for the scorer's own
    stage, divided by the votes for their favourite, averaged over epochs.
    """
    votes = np.stack([scorers == code for code in range(len(STAGES))]).astype(float)  # (stage, scorer, epoch)
    agreement = np.zeros(len(scorers))
    for j, own in enumerate(scorers):
        others = votes.sum(1) - votes[:, j]
        counted = (own != UNSCORED) & (others.max(0) > 0)
        if counted.any():
            mine = others[own[counted], np.flatnonzero(counted)]
            agreement[j] = np.mean(mine / others[:, counted].max(0))
    return agreement


def most_agreeing(scorers: np.ndarray, n_best: int = 4) -> np.ndarray:
    """Return the rows of the `n_best` scorers with most soft-agreement, best first; equals stay in file order.

    Parameters
    ----------
    scorers : ndarray of int, shape (scorer, epoch)
    """
    return scorers[np.argsort(-soft_agreement(scorers), kind="stable")[:n_best]]


def consensus(scorers: np.ndarray, n_best: int = 4) -> StageArray:
    """Return one hypnogram of several: the majority of the `n_best` most agreeing scorers.

    Ties go to the stage chosen by the highest-ranked of these scorers, as in AnySleep's treatment of the Dreem
    cohorts; scorers that agree equally rank in file order. Epochs that none of them scored are unscored.

    Parameters
    ----------
    scorers : ndarray of int, shape (scorer, epoch)
    """
    ranked = most_agreeing(scorers, n_best)
    votes = np.stack([(ranked == code).sum(0) for code in range(len(STAGES))])
    best = votes.max(0)
    result = np.full(scorers.shape[1], UNSCORED, np.uint8)
    for own in ranked[::-1]:  # the last to write is the highest-ranked
        scored = own != UNSCORED
        leads = np.zeros(len(own), bool)
        leads[scored] = votes[own[scored], np.flatnonzero(scored)] == best[scored]
        result[leads] = own[leads]
    return result


def soft_consensus(scorers: np.ndarray, n_best: int = 4) -> NDArray[np.float64]:
    """Return the share of scorers for each stage, the hypnodensity of the experts.

    It is made of the same `n_best` scorers as `consensus`, whose stage always has the largest share (or one of the
    largest, where they tie). A scorer who left an epoch unscored has no share in it.

    Parameters
    ----------
    scorers : ndarray of int, shape (scorer, epoch)

    Returns
    -------
    ndarray, shape (epoch, stage)
        Rows sum to 1, and are NaN where none of these scorers scored.

    Notes
    -----
    Hypnodensity: Stephansen et al. 2018, doi 10.1038/s41467-018-07229-3. Choice of scorers: Guillot et al. 2020,
    doi 10.1109/TNSRE.2020.3011181.
    """
    ranked = most_agreeing(scorers, n_best)
    votes = np.stack([(ranked == code).sum(0) for code in range(len(STAGES))], axis=1)
    with np.errstate(invalid="ignore"):
        return votes / votes.sum(1, keepdims=True)

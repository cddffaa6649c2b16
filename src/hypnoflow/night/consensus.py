"""One hypnogram of several scorers, and how well they agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypnoflow.types import STAGES, UNSCORED, StageArray


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

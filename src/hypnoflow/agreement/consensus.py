"""Agreement of the hypnodensity with the soft consensus of several scorers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypnoflow.night.consensus import soft_consensus
from hypnoflow.score.uncertainty import entropy_bit

MEASURES = ("cosine_similarity", "cross_entropy_bit", "consensus_entropy_bit", "accuracy")
SMALLEST = 1e-7  # a probability of 0 for a stage that a scorer gave costs 23 bit, not infinity; float32's precision


def consensus_agreement(probability: NDArray[np.floating], scorers: NDArray[np.uint8]) -> dict[str, float | int]:
    """Return how near a hypnodensity is to the share of scorers for each stage, over the epochs with both.

    Parameters
    ----------
    probability : ndarray, shape (epoch, stage)
        NaN where nothing was recorded.
    scorers : ndarray of uint8, shape (scorer, epoch)

    Returns
    -------
    dict
        n_scorers; n_epochs; cosine_similarity, from 0 to 1; cross_entropy_bit, which cannot fall below
        consensus_entropy_bit, the scorers' own disagreement; and accuracy against their stage, where a tie of the
        scorers counts as right for each of the tied. Without a common epoch the measures are NaN.

    Notes
    -----
    The mean cosine similarity is the ACS of Fiorillo et al. 2023, doi 10.1093/sleep/zsad028.
    """
    share = soft_consensus(scorers)
    known = ~(np.isnan(share).any(1) | np.isnan(probability).any(1))
    share, p = share[known], probability[known].astype(float)
    about = {"n_scorers": len(scorers), "n_epochs": int(known.sum())}
    if not len(p):
        return {**about, **dict.fromkeys(MEASURES, np.nan)}
    cosine = (share * p).sum(1) / np.linalg.norm(share, axis=1) / np.linalg.norm(p, axis=1)
    cross = -(share * np.log2(np.maximum(p, SMALLEST))).sum(1)
    chosen = share[np.arange(len(p)), p.argmax(1)]
    return {
        **about,
        "cosine_similarity": float(cosine.mean()),
        "cross_entropy_bit": float(cross.mean()),
        "consensus_entropy_bit": float(entropy_bit(share).mean()),
        "accuracy": float((chosen == share.max(1)).mean()),
    }

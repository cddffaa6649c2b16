"""How sure a hypnodensity is: entropy, margin and, of several networks, their disagreement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

Density = NDArray[np.floating]
Measure = NDArray[np.float32]


def entropy_bit(probability: Density) -> Measure:
    """Return the entropy of each row, shape (...), bit: 0 where sure, log2(5) = 2.32 where all stages are equal.

    Parameters
    ----------
    probability : ndarray, shape (..., stage)
        Rows of NaN have entropy NaN.

    Notes
    -----
    Shannon 1948, doi 10.1002/j.1538-7305.1948.tb01338.x.
    """
    return (entr(probability).sum(-1) / np.log(2)).astype(np.float32)


def margin(probability: Density) -> Measure:
    """Return the largest minus the second largest probability of each row, shape (...), from 0 to 1.

    Notes
    -----
    Scheffer et al. 2001, doi 10.1007/3-540-44816-0_31.
    """
    two = np.partition(probability, -2, axis=-1)[..., -2:]
    return (two[..., 1] - two[..., 0]).astype(np.float32)


def disagreement_bit(members: Sequence[Density]) -> Measure:
    """Return how much networks disagree on each row, shape (...), bit: entropy of their mean minus mean entropy.

    This is the mutual information of stage and network. It is 0 where all say the same, however unsure they are.

    Parameters
    ----------
    members : sequence of ndarray, shape (..., stage)
        Probabilities of each network.

    Notes
    -----
    Houlsby et al. 2011, arXiv 1112.5745, equation 2; with an ensemble for the posterior as in Lakshminarayanan et
    al. 2017, arXiv 1612.01474.
    """
    whole = entropy_bit(np.mean(members, axis=0))
    own = np.mean([entropy_bit(p) for p in members], axis=0)
    return np.maximum(whole - own, 0).astype(np.float32)  # rounding can go below 0, which the measure cannot

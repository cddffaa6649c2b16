"""Stage triplets a→b→c per block of the sleep period (AnySleep, arXiv 2512.14461, section on age, sex and apnea)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypnoflow.features._dictionary import Column, feature
from hypnoflow.night.hypnogram import Floats, Hypnogram, ratios
from hypnoflow.types import EPOCH_S, STAGES, UNSCORED, StageArray

if TYPE_CHECKING:  # the job imports the options; who asks what a feature is called has no use for them
    from hypnoflow.config.features import Features

N = len(STAGES)
TRIPLETS = tuple((a, b, c) for a, b, c in product(range(N), repeat=3) if a != b and b != c)  # 80, lexicographic
_NUMBER = np.array([100 * a + 10 * b + c for a, b, c in TRIPLETS])


def triplet_counts(stage: StageArray, steps_per_epoch: int, block_epochs: int = 180) -> NDArray[np.int64]:
    """Count each triplet of successive, pairwise different neighbours in each block.

    Parameters
    ----------
    stage : ndarray of uint8, shape (step,)
        Stages of the sleep period; a triplet with an unscored step is not counted.
    steps_per_epoch : int
        Predictions per 30 s.
    block_epochs : int
        Length of a block, in 30-s epochs; the last block may be shorter, and none shares a triplet with another.

    Returns
    -------
    ndarray of int, shape (block, 80)
        Raw counts, as published; columns in the order of `TRIPLETS`.
    """
    width = block_epochs * steps_per_epoch
    counts = [_count(stage[i : i + width]) for i in range(0, len(stage), width)]
    return np.array(counts, np.int64).reshape(-1, len(TRIPLETS))


def _count(block: StageArray) -> NDArray[np.int64]:
    """Count the triplets of one block, shape (triplet,); their three stages are read as the digits of a number."""
    change = block[1:] != block[:-1]
    at = np.flatnonzero(change[1:] & change[:-1])  # first step of each triplet: fewer than one step in ten
    number = block.take(at).astype(np.uint16)
    for later in (1, 2):
        number *= 10
        number += block.take(at + later)
    return np.bincount(number, minlength=1000)[_NUMBER]


def block_hours(stage: StageArray, steps_per_epoch: int, block_epochs: int = 180) -> Floats:
    """Return the hours of each block of `triplet_counts` that have a stage, shape (block,)."""
    width = block_epochs * steps_per_epoch
    starts = np.arange(0, len(stage), width)
    known = np.add.reduceat(stage != UNSCORED, starts, dtype=np.int64) if len(starts) else np.zeros(0)
    return known * EPOCH_S / steps_per_epoch / 3600


def triplet_rates(stage: StageArray, steps_per_epoch: int, block_epochs: int = 180) -> Floats:
    """Return `triplet_counts` per scored hour of each block, shape (block, 80); NaN where a block has none."""
    counts = triplet_counts(stage, steps_per_epoch, block_epochs)
    return ratios(counts, block_hours(stage, steps_per_epoch, block_epochs)[:, None])


def _columns() -> list[Column]:
    names = [[STAGES[code] for code in triplet] for triplet in TRIPLETS]
    return [
        Column(f"triplet_{a}_{b}_{c}", "1/h", f"changes from {a} to {b} and on to {c}, per scored hour of sleep period")
        for a, b, c in names
    ]


NAMES = tuple(column.name for column in _columns())


@feature("triplets", _columns(), "AnySleep, arXiv 2512.14461, counts divided by the blocks' length")
def triplets_per_h(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return triplets per scored hour, summed over blocks; NaN where there is no sleep."""
    counts = triplet_counts(hypnogram.asleep, hypnogram.steps_per_epoch, options.block_epochs).sum(0)
    return dict(zip(NAMES, ratios(counts, hypnogram.scored_h).tolist(), strict=True))

"""Stage triplets a→b→c per block of the sleep period (AnySleep, arXiv 2512.14461, section on age, sex and apnea)."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from hypnoflow.config import Features
from hypnoflow.features._dictionary import Column, Hypnogram, feature
from hypnoflow.types import STAGES, StageArray

N = len(STAGES)
TRIPLETS = tuple((a, b, c) for a, b, c in product(range(N), repeat=3) if a != b and b != c)  # 80, lexicographic
_INDEX = np.full((10, 10, 10), -1)
for _i, _abc in enumerate(TRIPLETS):
    _INDEX[_abc] = _i


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
        Columns in the order of `TRIPLETS`.
    """
    width = block_epochs * steps_per_epoch
    blocks = [stage[i : i + width] for i in range(0, len(stage), width)]
    counts = np.zeros((len(blocks), len(TRIPLETS)), np.int64)
    for row, block in zip(counts, blocks, strict=True):
        found = _INDEX[block[:-2], block[1:-1], block[2:]]
        row += np.bincount(found[found >= 0], minlength=len(TRIPLETS))
    return counts


def _columns() -> list[Column]:
    names = [[STAGES[code] for code in triplet] for triplet in TRIPLETS]
    return [
        Column(f"triplet_{a}_{b}_{c}", "1/h", f"changes from {a} to {b} and on to {c}, per hour of sleep period")
        for a, b, c in names
    ]


@feature("triplets", _columns(), "AnySleep, arXiv 2512.14461, counts divided by the blocks' length")
def triplets_per_h(hypnogram: Hypnogram, options: Features) -> dict[str, float]:
    """Return triplets per hour, summed over blocks; NaN where there is no sleep."""
    stage = hypnogram.asleep
    counts = triplet_counts(stage, hypnogram.steps_per_epoch, int(options.block_min * 2)).sum(0)
    hours = len(stage) * hypnogram.step_s / 3600
    rates = counts / hours if hours else np.full(len(TRIPLETS), np.nan)
    return dict(zip((c.name for c in _columns()), rates.tolist(), strict=True))

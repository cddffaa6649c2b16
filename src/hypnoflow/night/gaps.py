"""Where nothing was recorded: gaps of a file, in samples and in epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypnoflow.types import EPOCH_S


def recorded(gaps_s: Sequence[tuple[float, float]], rate_hz: float, n: int) -> slice | NDArray[np.bool_]:
    """Return the index of those of `n` samples that lie outside the file's gaps."""
    if not gaps_s:
        return slice(None)
    present = np.ones(n, bool)
    for start_s, end_s in gaps_s:
        present[math.floor(start_s * rate_hz + 0.5) : math.floor(end_s * rate_hz + 0.5)] = False
    return present


def in_gaps(
    gaps_s: Sequence[tuple[float, float]], n_epochs: int, steps_per_epoch: int = 1, *, epoch_s: float = EPOCH_S
) -> NDArray[np.bool_]:
    """Return which epochs, or steps of epochs, lie by half or more in gaps of the recording, shape (step,).

    A step within an epoch that is lost is lost as well.
    """
    if not len(gaps_s):
        return np.zeros(n_epochs * steps_per_epoch, bool)
    begin_s, end_s = np.array(sorted(gaps_s), np.float64).T
    # Time in gaps up to any moment: it rises within them, and is level between them.
    knots_s = np.stack([begin_s, end_s], 1).ravel()
    total_s = np.cumsum(end_s - begin_s)
    lost_s = np.stack([np.r_[0.0, total_s[:-1]], total_s], 1).ravel()

    def by_half(steps: int) -> NDArray[np.bool_]:
        edges_s = np.arange(n_epochs * steps + 1) * (epoch_s / steps)
        return np.diff(np.interp(edges_s, knots_s, lost_s)) >= epoch_s / steps / 2 - 1e-9

    return by_half(steps_per_epoch) | np.repeat(by_half(1), steps_per_epoch)

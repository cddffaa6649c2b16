"""Flags per epoch as runs, which JSON can hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def encode_runs(flags: NDArray[np.uint8]) -> list[list[int]]:
    """Return the flagged stretches as [first epoch, number of epochs, flags], which JSON can hold."""
    edges = np.flatnonzero(np.diff(flags)) + 1
    starts, stops = np.r_[0, edges], np.r_[edges, len(flags)]
    return [[int(a), int(b - a), int(flags[a])] for a, b in zip(starts, stops, strict=True) if b > a and flags[a]]


def decode_runs(runs: Iterable[Sequence[int]], n_epochs: int) -> NDArray[np.uint8]:
    """Return the flags, shape (epoch,), that `encode_runs` wrote."""
    flags = np.zeros(n_epochs, np.uint8)
    for first, n, value in runs:
        flags[first : first + n] = value
    return flags

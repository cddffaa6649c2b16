"""Robust scaling to interquartile ranges, and back to the file's unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypnoflow.types import INT16_MAX, FloatArray

BINS = 65535
BLOCK = 2**18  # samples worked on at once: few enough to stay in the cache


@dataclass(frozen=True, slots=True)
class Scaled:
    """A signal in interquartile ranges about its median, stored as integers.

    x : ndarray of int16, shape (sample,)
        ``x * clip_iqr / 32767`` is the scaled signal; ``* iqr + median`` of that the file's unit again.
    clipped_share : float
        Share of samples beyond the clip.
    """

    x: NDArray[np.int16]
    median: float
    iqr: float
    clipped_share: float


def robust_scale(x: FloatArray, clip_iqr: float, fallback_iqr: float = 0.0) -> Scaled:
    """Remove the median, divide by the interquartile range, then clip to plus and minus `clip_iqr`.

    The median goes first, so that an electrode offset cannot push the signal into the clip (AnySleep, section
    "Data", arXiv 2512.14461; its released code clips before it centres). `fallback_iqr` stands in for an
    interquartile range of zero.

    Raises
    ------
    ValueError
        If the interquartile range is zero, half the samples holding one value, and there is no fallback.
    """
    x = np.asarray(x, np.float32)
    low, median, high = quartiles(x)
    iqr = float(high - low) or fallback_iqr
    if not iqr > 0:
        raise ValueError("half of the samples or more hold one value")
    factor = np.float32(INT16_MAX / clip_iqr / iqr)
    out = np.empty(len(x), np.int16)
    clipped = 0
    for first in range(0, len(x), BLOCK):
        part = x[first : first + BLOCK] - np.float32(median)
        part *= factor
        np.rint(part, out=part)
        clipped += int(np.count_nonzero(np.abs(part) > INT16_MAX))
        out[first : first + BLOCK] = np.clip(part, -INT16_MAX, INT16_MAX, out=part)
    return Scaled(out, median, iqr, clipped / len(x))


def quartiles(x: FloatArray) -> tuple[float, float, float]:
    """Return the quartiles of `x`, shape (sample,), finite, as ``np.percentile(x, (25, 50, 75))``.

    The ranks are exact; between two samples the value is interpolated in double precision. A count of 65536 bins says
    in which bin a rank lies; only the samples of that bin are then put in order, which is several times faster than
    ordering all of them.
    """
    x = np.asarray(x, np.float32)
    low, high = x.min(), x.max()
    width = np.float32(high - low)
    if not width > 0:
        return float(low), float(low), float(low)
    factor = np.float32(BINS / width)
    bins, count = np.empty(len(x), np.uint16), np.zeros(BINS + 1, np.intp)
    for at in range(0, len(x), BLOCK):
        place = x[at : at + BLOCK] - low
        place *= factor
        np.minimum(place, BINS, out=place)
        bins[at : at + BLOCK] = place
        count += np.bincount(bins[at : at + BLOCK], minlength=BINS + 1)
    below = np.concatenate([[0], np.cumsum(count)])
    first, second, third = (_at_rank(x, bins, below, share * (len(x) - 1)) for share in (0.25, 0.5, 0.75))
    return first, second, third


def _at_rank(x: FloatArray, bins: NDArray[np.uint16], below: NDArray[np.intp], rank: float) -> float:
    """Return the value at a fractional rank, between the two samples around it."""
    ranks = (int(rank), min(int(rank) + 1, len(x) - 1))
    bin_of = [int(np.searchsorted(below, r, side="right")) - 1 for r in ranks]
    inside = bins == bin_of[0] if bin_of[0] == bin_of[1] else (bins >= bin_of[0]) & (bins <= bin_of[1])
    some = np.sort(x[inside])
    lower, upper = (float(some[r - below[bin_of[0]]]) for r in ranks)
    return lower + (rank - int(rank)) * (upper - lower)

"""Robust scaling to interquartile ranges, and back to the file's unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypnoflow.types import FloatArray

INT16_MAX = 32767


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
    low, median, high = np.percentile(x, (25, 50, 75))
    iqr = float(high - low) or fallback_iqr
    if not iqr > 0:
        raise ValueError("half of the samples or more hold one value")
    scaled = (x - np.float32(median)) * np.float32(1 / iqr)
    clipped = float(np.mean(np.abs(scaled) > clip_iqr))
    np.clip(scaled, -clip_iqr, clip_iqr, out=scaled)
    scaled *= np.float32(INT16_MAX / clip_iqr)
    return Scaled(np.rint(scaled).astype(np.int16), float(median), iqr, clipped)

"""Change of sampling rate by an exact fraction.

The filter is that of `scipy.signal.resample_poly` (Kaiser window, beta 5, 20 zero crossings), and so are the values.
It is applied as a matrix product: an output sample depends on its place within a block in the same way in every
block, so that one small matrix, times all blocks at once, is the whole filter at the speed of BLAS.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypnoflow.types import FloatArray

ZERO_CROSSINGS = 10  # of the filter, on either side
MAX_DOWN = 1000  # largest denominator: the filter grows with it
BLOCK = 32  # input samples of a block, at least
ROWS = 2048  # blocks multiplied at once: a few hundred kilobytes, so that they stay in the cache


@dataclass(frozen=True, slots=True)
class _Filter:
    """A polyphase filter as a matrix.

    matrix : ndarray, shape (n_in + 2 * lead + 1, n_out), float32
        What each output sample of a block takes of the block's input samples and of `lead` more on either side.
    """

    matrix: FloatArray
    n_in: int
    n_out: int
    lead: int


@lru_cache(maxsize=64)
def _filter(up: int, down: int) -> _Filter:
    half = ZERO_CROSSINGS * max(up, down)
    taps = np.sinc(np.arange(-half, half + 1) / max(up, down)) * np.kaiser(2 * half + 1, 5.0)
    taps *= up / taps.sum()
    blocks = -(-BLOCK // down)
    n_in, n_out, lead = blocks * down, blocks * up, half // up
    sample = np.arange(-lead, n_in + lead + 1)[:, None]
    tap = np.arange(n_out) * down - sample * up + half
    inside = (tap >= 0) & (tap < len(taps))
    matrix = np.where(inside, taps[np.clip(tap, 0, len(taps) - 1)], 0).astype(np.float32)
    return _Filter(matrix, n_in, n_out, lead)


def resample(x: NDArray[Any], *, rate_in_hz: float, rate_out_hz: float) -> FloatArray:
    """Resample one signal, polyphase with the anti-alias filter of its own rate.

    Parameters
    ----------
    x : ndarray, shape (sample,)
        Any unit, floating point or integers.
    rate_in_hz, rate_out_hz : float
        Both positive; their ratio is taken as a fraction, never truncated to whole hertz.

    Returns
    -------
    ndarray, shape (ceil(sample * rate_out_hz / rate_in_hz),), float32
        First sample at the same instant as that of `x`.

    Raises
    ------
    ValueError
        If a rate is not positive.
    """
    if rate_in_hz <= 0 or rate_out_hz <= 0:
        raise ValueError(f"sampling rates must be positive, found {rate_in_hz:g} and {rate_out_hz:g} Hz")
    x = np.asarray(x)
    ratio = Fraction(rate_out_hz / rate_in_hz).limit_denominator(MAX_DOWN)
    stretch = float(ratio) * rate_in_hz / rate_out_hz  # of time, where the fraction is not exact
    if abs(stretch - 1) * len(x) > 0.5:
        x = _stretched(x, stretch)
    if ratio == 1 or not len(x):
        return x.astype(np.float32, copy=False)
    # The ends are continued by the signal's own level, so that an offset makes no step there.
    level = np.float32(np.median(x[:: max(1, len(x) // 10_000)]))
    n = -(-len(x) * ratio.numerator // ratio.denominator)
    return _apply(_filter(ratio.numerator, ratio.denominator), x, level, n)


def _stretched(x: NDArray[Any], stretch: float) -> FloatArray:
    """Return `x` at the rate, a little off its own, from which a small fraction leads to the wanted one.

    Without this an odd rate (256.0123 Hz taken for 256) would drift by a second in a night. A spline of order 5 is
    exact enough below half the Nyquist rate, where a signal lies whose rate is then lowered.
    """
    from scipy.ndimage import map_coordinates  # seldom needed, and a tenth of the memory of a small job

    at = np.arange(int(np.ceil(len(x) / stretch))) * stretch
    return np.asarray(map_coordinates(x, at[None], np.float32, order=5, mode="nearest"), np.float32)


def _apply(f: _Filter, x: NDArray[Any], level: np.float32, n: int) -> FloatArray:
    """Return the first `n` samples of `x` filtered, `level` standing beyond its ends."""
    n_blocks = -(-n // f.n_out)
    parts = [f.matrix[at : at + f.n_in] for at in range(0, len(f.matrix), f.n_in)]
    out = np.empty((n_blocks, f.n_out), np.float32)
    for first in range(0, n_blocks, ROWS):
        rows = min(ROWS, n_blocks - first)
        start = first * f.n_in - f.lead
        blocks = _span(x, start, (rows + len(parts) - 1) * f.n_in, level).reshape(-1, f.n_in)
        y = np.matmul(blocks[:rows], parts[0], out=out[first : first + rows])
        for shift, part in enumerate(parts[1:], start=1):
            y += blocks[shift : shift + rows, : len(part)] @ part
        y += level
    return out.reshape(-1)[:n]


def _span(x: NDArray[Any], start: int, n: int, level: np.float32) -> FloatArray:
    """Return ``x[start : start + n] - level``, zero where that lies outside of `x`."""
    span = np.zeros(n, np.float32)
    low, high = max(start, 0), min(start + n, len(x))
    if high > low:
        np.subtract(x[low:high], level, out=span[low - start : high - start])
    return span

"""Change of sampling rate by an exact fraction."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from hypnoflow.types import FloatArray


def resample(x: FloatArray, *, rate_in_hz: float, rate_out_hz: float) -> FloatArray:
    """Resample one signal, polyphase with the anti-alias filter of its own rate.

    Parameters
    ----------
    x : ndarray, shape (sample,)
        Any unit.
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
    ratio = Fraction(rate_out_hz).limit_denominator(10_000) / Fraction(rate_in_hz).limit_denominator(10_000)
    if ratio == 1:
        return np.asarray(x, np.float32)
    # The ends are continued by the signal's own median, so that an offset makes no step there.
    return np.asarray(resample_poly(x, ratio.numerator, ratio.denominator, padtype="median"), np.float32)

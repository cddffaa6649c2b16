"""Channels that are copies of one another, bridged by gel, or against a mastoid upside down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypnoflow.config.harmonize import Quality
from hypnoflow.harmonize.quality import BLOCK, WAVEFORM_HZ, Remark, _epochs, _segments
from hypnoflow.store.shard import Map
from hypnoflow.types import EPOCH_S, Kind

TOGETHER = 256  # epochs whose correlations are computed at once
ALIKE_HZ = 32.0  # rate at which channels are compared for copies and bridges: most of the EEG, little of the mains
SLOW_HZ = 8.0  # rate at which their sign is compared: 0.5 to 4 Hz, where the head moves as one
MASTOIDS = ("M1", "M2")


def compare_channels(
    x: NDArray[Any],
    labels: Sequence[str],
    *,
    rate_hz: float,
    kind: Kind,
    options: Quality,
    run: Map = map,
) -> list[Remark]:
    """Tell which channels of one kind look like copies, bridged electrodes or of flipped polarity.

    Only suspicions: nothing is dropped for them. Correlations are medians over epochs of what is above 0.5 Hz.

    - *copy*: the same samples, up to rounding, in either sign.
    - *bridge*: two electrodes shorted by gel or sweat (Tenke & Kayser 2001, doi 10.1016/S1388-2457(00)00553-8). The
      threshold is so high because derivations that share a reference or sit close together are rightly alike.
    - *polarity*: strongly negative below 4 Hz among EEG derivations against a mastoid, which sees the whole head's
      slow waves in one sign. No other channels must agree in sign: the eyes are opposite, and so are bipolar
      neighbours that share an electrode.

    Parameters
    ----------
    x : ndarray, shape (channel, sample)
        Finite, in any unit: correlation does not depend on it.
    run : callable
        Maps a function over channels; a thread pool's works on them side by side.

    Returns
    -------
    list of Remark
        Empty for respiration and for what is sampled below `WAVEFORM_HZ`.
    """
    if kind == "resp" or rate_hz < WAVEFORM_HZ or len(labels) < 2:
        return []
    remarks = []
    agreeing = [i for i, label in enumerate(labels) if label.partition("-")[2] in MASTOIDS]
    if kind != "eeg" or len(agreeing) < 2:
        agreeing = []
    r, slow = _correlations(x, rate_hz, agreeing, run)
    for j in range(1, len(labels)):
        for i in range(j):
            if abs(r[i, j]) >= options.copy_correlation:
                remarks.append(Remark("copy", labels[j], labels[i], float(r[i, j])))
            elif abs(r[i, j]) >= options.bridge_correlation:
                remarks.append(Remark("bridge", labels[j], labels[i], float(r[i, j])))
    if agreeing:
        remarks += _flipped(slow, [labels[i] for i in agreeing], options.polarity_correlation)
    return remarks


def _flipped(r: NDArray[np.float64], labels: Sequence[str], threshold: float) -> list[Remark]:
    """Name the fewest channels that explain all opposite pairs: the one in most of them first, then of the rest."""
    opposite = r <= threshold
    remarks = []
    while opposite.any():
        i = int(np.argmax(opposite.sum(1)))
        j = int(np.argmin(np.where(opposite[i], r[i], 1)))
        remarks.append(Remark("polarity", labels[i], labels[j], float(r[i, j])))
        opposite[i] = opposite[:, i] = False
    return remarks


def _correlations(
    x: NDArray[Any], rate_hz: float, agreeing: Sequence[int], run: Map
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the medians over epochs of the correlations, shape (channel, channel), and of `agreeing` below 4 Hz."""
    factor = max(int(rate_hz // ALIKE_HZ), 1)
    length = EPOCH_S * rate_hz / factor  # of an epoch at the lower rate, in samples
    step = max(int(rate_hz / factor // SLOW_HZ), 1)
    n = int(x.shape[1] // factor / length + 1e-9)
    alike, slow = (np.zeros((n, n_channels, n_channels)) for n_channels in (len(x), len(agreeing)))
    for first in range(0, n, TOGETHER):  # so that a long night of many channels is never held at any rate
        last = min(first + TOGETHER, n)
        part = x[:, int(first * length + 1e-6) * factor : math.ceil(last * length - 1e-6) * factor]
        low = list(run(lambda channel: _at_lower_rate(channel, factor, rate_hz), part))
        alike[first:last] = _correlation(low)
        if agreeing:
            slow[first:last] = _correlation([_averaged(low[i], step) for i in agreeing])
    return _medians(alike), _medians(slow)


def _correlation(channels: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the correlations between channels, shape (epoch, channel, channel).

    Each of `channels` has the shape (epoch, sample) and no mean. A flat epoch correlates 0 with everything.
    """
    segments = np.stack(channels, axis=1)
    covariance = (segments @ segments.transpose(0, 2, 1)).astype(np.float64)
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    scale = sd[:, :, None] * sd[:, None, :]
    return np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)


def _medians(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median over epochs, row by row: all at once, numpy would copy all."""
    return np.stack([np.median(row, axis=0) for row in r.swapaxes(0, 1)]) if r.size else np.zeros(r.shape[1:])


def _averaged(segments: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Average each `factor` neighbours along the last axis."""
    n = segments.shape[1] // factor
    groups = segments[:, : n * factor].reshape(-1, factor)
    return (groups @ np.full(factor, 1 / factor, np.float32)).reshape(len(segments), n)


def _at_lower_rate(x: NDArray[Any], factor: int, rate_hz: float) -> NDArray[np.float32]:
    """Average each `factor` neighbours and remove what is below 0.5 Hz, shape (epoch, sample)."""
    low = np.empty(len(x) // factor, np.float32)
    mean = np.full(factor, 1 / factor, np.float32)
    step = max(BLOCK // factor, 1)
    for first in range(0, len(low), step):
        rows = low[first : first + step]
        part = x[first * factor : (first + len(rows)) * factor].reshape(len(rows), factor)
        np.matmul(part.astype(np.float32), mean, out=rows)
    segments = _segments(_epochs(low, rate_hz / factor), rate_hz / factor)
    return segments.reshape(len(segments), segments.shape[1] * segments.shape[2])

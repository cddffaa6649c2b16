"""The signal quality gate: what is wrong with a channel, epoch by epoch.

Channels are judged at their native rate and in their own unit, before anything is resampled or scaled. What is not
defined for a kind is not flagged: an oximeter repeats and saturates by nature, an ECG whose R waves are cut still
has its beats, and a potential sampled below `WAVEFORM_HZ` can only be an envelope.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hypnoflow.config.harmonize import Quality
from hypnoflow.types import EPOCH_S, Kind

MAINS_HZ = (50.0, 60.0)
MAINS_WIDTH_HZ = 1.0  # to either side
MAINS_EVERY = 3  # of an epoch's fifteen segments
SEGMENT_S = 2  # the bins of a segment are 0.5 Hz apart, so removing its mean removes what is below 0.5 Hz
WAVEFORM_HZ = 20.0
BLOCK = 2**18  # samples worked on at once: few enough to stay in the cache


class Flag(IntFlag):
    """What is wrong with one epoch of one channel; a flat or a missing epoch carries that flag alone."""

    FLAT = 1  # holds one value
    CLIPPED = 2  # stays at the channel's lowest or highest value
    MISSING = 4  # samples are NaN or infinite
    MAINS = 8  # mostly mains and its harmonics
    TOO_LARGE = 16
    TOO_SMALL = 32

    @property
    def text(self) -> str:
        return str(self.name).lower().replace("_", " ")


# Hum adds to a signal that is still there and can be filtered out, so it counts in the score but drops no channel.
DISQUALIFYING = Flag.FLAT | Flag.CLIPPED | Flag.MISSING | Flag.TOO_LARGE | Flag.TOO_SMALL

FlagArray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Remark:
    """A suspicion about two channels; `value` is their correlation, the median over epochs."""

    kind: Literal["copy", "bridge", "polarity"]
    channel: str
    other: str
    value: float

    def __str__(self) -> str:
        what = {"copy": "a copy of", "bridge": "bridged with", "polarity": "of opposite polarity to"}[self.kind]
        return f"{self.channel} may be {what} {self.other} (r = {self.value:.4g})"


# --- one channel ---------------------------------------------------------------------------------------------


def assess_channel(
    x: NDArray[Any], *, rate_hz: float, kind: Kind, options: Quality, unit: str = "uV", gain: float = 1.0
) -> FlagArray:
    """Flag the epochs of one channel.

    Parameters
    ----------
    x : ndarray, shape (sample,)
        At its native rate, floating point or integers; a trailing part of an epoch is left out.
    unit : str
        Amplitudes are judged only in "uV".
    gain : float
        What brings a difference of samples to `unit`.

    Returns
    -------
    ndarray of uint8, shape (epoch,)
        Sums of `Flag`.
    """
    epochs = _epochs(x if x.dtype == np.int16 else np.asarray(x, np.float32), rate_hz)
    is_waveform = kind != "resp" and rate_hz >= WAVEFORM_HZ
    missing = np.zeros(len(epochs), bool)
    found = _measure(epochs, rate_hz, is_waveform)
    if not (np.isfinite(found.low).all() and np.isfinite(found.high).all()):
        finite = np.isfinite(epochs)
        missing = epochs.shape[1] - np.count_nonzero(finite, axis=1) > options.missing_share * epochs.shape[1]
        epochs = np.where(finite, epochs, np.median(epochs[finite]) if finite.any() else np.float32(0))
        found = _measure(epochs, rate_hz, is_waveform)
    flags = np.zeros(len(epochs), np.uint8)
    if kind == "resp":
        flat = np.full(len(epochs), len(epochs) > 0 and found.low.min() == found.high.max())
    else:
        flat = found.repeated >= options.flat_share * (epochs.shape[1] - 1)
    if is_waveform:
        _flag_waveform(flags, epochs, found, kind, options, gain if unit == "uV" else None)
    flags[flat] = Flag.FLAT
    flags[missing] = Flag.MISSING
    return flags


def sample_verdict(x: NDArray[Any], kind: Kind, options: Quality) -> str | None:
    """Return why a channel cannot be used, judged by all its samples at once, or None."""
    low, high = (x.min(), x.max()) if len(x) else (np.nan, np.nan)
    if not (np.isfinite(low) and np.isfinite(high)):  # one sample that is not a number shows in both
        missing = float(np.mean(~np.isfinite(x))) if len(x) else 1.0
        if missing > options.missing_share:
            return f"{missing:.0%} of the samples are missing"
        low, high = np.nanmin(x), np.nanmax(x)
    if low == high:
        return "flat: one value throughout"
    n = len(x) - 1
    starts = range(0, n, BLOCK)
    repeated = sum(np.count_nonzero(x[at + 1 : at + 1 + BLOCK] == x[at : min(at + BLOCK, n)]) for at in starts) / n
    if kind != "resp" and repeated >= options.flat_share:
        return f"flat for {repeated:.0%} of the recording"
    return None


def channel_verdict(flags: FlagArray, options: Quality) -> str | None:
    """Return why a channel cannot be used, judged by its epochs, or None: "flat in 97% of epochs"."""
    if not len(flags):
        return "less than one epoch"
    bad = float(np.mean(flags & DISQUALIFYING != 0))
    if bad < options.bad_epoch_share:
        return None
    shares = {flag: float(np.mean(flags & flag != 0)) for flag in DISQUALIFYING}
    found = [flag for flag in sorted(shares, key=lambda flag: -shares[flag]) if shares[flag] > 0]
    return f"{' or '.join(flag.text for flag in found)} in {bad:.0%} of epochs"


def recording_score(flags: Mapping[str, FlagArray], dropped: Collection[str] = ()) -> float:
    """Return the quality score of a recording, from 0 to 1.

    It is the share of epochs without any flag, averaged over the channels of `flags` and `dropped`, where a dropped
    channel counts 0. `hypnoflow.harmonize.signals` gives all EEG and EOG channels that the file provides.
    """
    clean = [float(np.mean(f == 0)) for label, f in flags.items() if label not in dropped]
    return sum(clean) / max(len(clean) + len(dropped), 1)


@dataclass(frozen=True, slots=True)
class _Measures:
    """What is measured of each epoch, each of shape (epoch,).

    low, high : extremes
    repeated : how many samples equal the one before
    power, mains : mean square above 0.5 Hz, and that at the mains with its harmonics; zero where nobody asked
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    repeated: NDArray[np.int64]
    power: NDArray[np.float32]
    mains: NDArray[np.float32]


def _measure(epochs: NDArray[Any], rate_hz: float, is_waveform: bool) -> _Measures:
    """Measure every epoch, some at a time, so that all measures find them in the cache."""
    n = len(epochs)
    done = _Measures(*(np.zeros(n, dtype) for dtype in ("f4", "f4", "i8", "f4", "f4")))
    spectrum = _MainsSpectrum(rate_hz) if is_waveform else None
    step = max(BLOCK // max(epochs.shape[1], 1), 1)
    for first in range(0, n, step):
        part, rows = epochs[first : first + step], slice(first, first + step)
        done.low[rows], done.high[rows] = part.min(1), part.max(1)
        # Row by row: along an axis counting is far slower.
        done.repeated[rows] = [np.count_nonzero(same) for same in part[:, 1:] == part[:, :-1]]
        if spectrum is not None and np.isfinite(done.low[rows]).all() and np.isfinite(done.high[rows]).all():
            done.power[rows], done.mains[rows] = spectrum.power(part.astype(np.float32, copy=False))
    return done


def _flag_waveform(
    flags: FlagArray, epochs: NDArray[Any], found: _Measures, kind: Kind, options: Quality, gain_uv: float | None
) -> None:
    """Flag, in place, what is defined for sampled potentials only; `gain_uv` is None where they are not in volts."""
    if kind != "ecg":
        _mark(flags, Flag.CLIPPED, _pinned(epochs, found) >= options.clipped_share * epochs.shape[1])
    power, mains = found.power, found.mains
    _mark(flags, Flag.MAINS, (power > 0) & (mains >= options.mains_share * power))
    ranges = {"eeg": options.eeg_uv, "eog": options.eog_uv, "emg": options.emg_uv, "ecg": options.ecg_uv}
    if gain_uv is not None:
        low, high = (limit / abs(gain_uv) for limit in ranges[kind])
        _mark(flags, Flag.TOO_LARGE, power > high**2)
        _mark(flags, Flag.TOO_SMALL, power < low**2)


def _mark(flags: FlagArray, flag: Flag, where: NDArray[np.bool_]) -> None:
    flags[where] |= np.uint8(flag)


def _epochs(x: NDArray[Any], rate_hz: float) -> NDArray[Any]:
    """Return whole epochs, shape (epoch, sample); where an epoch is no whole number of samples, the last is left."""
    length = EPOCH_S * rate_hz
    n, n_epochs = int(length + 1e-6), int(len(x) / length + 1e-9)
    if abs(length - n) < 1e-6:
        return x[: n_epochs * n].reshape(n_epochs, n)
    starts = (np.arange(n_epochs) * length).astype(int)
    return x[starts[:, None] + np.arange(n)]


def _pinned(epochs: NDArray[Any], found: _Measures) -> NDArray[np.int64]:
    """Return how many samples of each epoch lie in runs at the channel's extremes, shape (epoch,).

    A signal that merely reaches its extreme does so for one sample; a clipped one stays there.
    """
    count = np.zeros(len(epochs), np.int64)
    extremes = (found.low, found.low.min(initial=np.inf)), (found.high, found.high.max(initial=-np.inf))
    for of_epoch, extreme in extremes:
        touching = np.flatnonzero(of_epoch == extreme)  # mostly few
        at = np.pad(epochs[touching] == extreme, ((0, 0), (1, 1)))
        count[touching] += np.count_nonzero(at[:, 1:-1] & (at[:, 2:] | at[:, :-2]), axis=1)
    return count


class _MainsSpectrum:
    """Power of epochs above 0.5 Hz, and of it that at the mains with its harmonics.

    Periodograms of 2-s segments, averaged (Bartlett 1948, doi 10.1038/161686a0); their total is, by Parseval, the
    mean square about each segment's mean, into which slower drift leaks a little. Of 50 and 60 Hz the stronger counts,
    as far as its band is below Nyquist; hum lasts, so its share is taken from every third segment.
    """

    def __init__(self, rate_hz: float):
        self._n = int(SEGMENT_S * rate_hz)
        # A few bins only: their sines and cosines cost less than a whole FFT. The first column is the mean.
        waves, self._columns, at = [np.full((self._n, 1), 1 / self._n)], [], 1
        for mains_hz in MAINS_HZ:
            bins = _mains_bins(mains_hz, rate_hz, self._n)
            phase = 2 * np.pi * np.outer(np.arange(self._n), bins) / self._n
            waves += [np.cos(phase), np.sin(phase)]
            self._columns.append(slice(at, at + 2 * len(bins)))
            at += 2 * len(bins)
        self._waves = np.concatenate(waves, axis=1).astype(np.float32)
        self._mean = np.ascontiguousarray(self._waves[:, 0])

    def power(self, epochs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return both, shape (epoch,), of epochs of shape (epoch, sample)."""
        segments = epochs[:, : epochs.shape[1] // self._n * self._n].reshape(len(epochs), -1, self._n)
        total = _mean_square(segments) - np.square(segments @ self._mean).mean(axis=1)
        some = np.ascontiguousarray(segments[:, ::MAINS_EVERY])
        found = (some.reshape(-1, self._n) @ self._waves).reshape(*some.shape[:2], -1)
        part = _mean_square(some) - np.square(found[:, :, 0]).mean(axis=1)
        share = np.zeros(len(epochs), np.float32)
        for columns in self._columns:
            lines = found[:, :, columns]
            power = 2 * np.einsum("esb,esb->e", lines, lines) / (some.shape[1] * self._n**2)
            share = np.maximum(share, np.divide(power, part, out=np.zeros_like(power), where=part > 0))
        return total, share * total


def _mean_square(segments: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean square of each epoch, shape (epoch,)."""
    flat = segments.reshape(len(segments), -1)
    return np.vecdot(flat, flat) / np.float32(flat.shape[1])


def _mains_bins(mains_hz: float, rate_hz: float, n: int) -> NDArray[np.int64]:
    """Return the DFT bins of a segment of `n` samples within the mains' bands that lie below Nyquist."""
    harmonics = np.arange(mains_hz, rate_hz / 2 - MAINS_WIDTH_HZ, mains_hz)
    frequency_hz = np.arange(n // 2) * rate_hz / n
    near = np.abs(frequency_hz[:, None] - harmonics) <= MAINS_WIDTH_HZ + 1e-6
    return np.flatnonzero(near.any(axis=1))


def _segments(epochs: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Cut epochs into segments and remove the mean of each, shape (epoch, segment, sample)."""
    n = int(SEGMENT_S * rate_hz)
    n_segments = epochs.shape[1] // n
    segments = epochs[:, : n_segments * n].reshape(len(epochs), n_segments, n)
    return segments - segments.mean(axis=2, keepdims=True)


# --- between channels ----------------------------------------------------------------------------------------

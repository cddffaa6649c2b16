"""From a file's signals to scaled standard channels, kind by kind; what fails is left out and said so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hypnoflow.channels.derive import Pick
from hypnoflow.config import Harmonize
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.quality import (
    FlagArray,
    Remark,
    assess_channel,
    channel_verdict,
    compare_channels,
    recording_score,
    sample_verdict,
)
from hypnoflow.harmonize.resample import resample
from hypnoflow.harmonize.scale import Scaled, robust_scale
from hypnoflow.types import EPOCH_S, KINDS, RATE_HZ, SCORED_KINDS, Channel, FloatArray, Kind, SignalFile

# Highest rate that is kept of each kind. What networks see is always at this rate; another kind whose files are
# slower keeps their own highest rate, since more samples would hold nothing more.
RATES_HZ: dict[Kind, float] = {"eeg": RATE_HZ, "eog": RATE_HZ, "emg": RATE_HZ, "ecg": RATE_HZ, "resp": 16}


@dataclass(frozen=True, slots=True)
class KindSignals:
    """All channels of one kind at one rate.

    x : ndarray of int16, shape (channel, sample)
        Scaled signals, see `hypnoflow.harmonize.scale`.
    median, iqr : ndarray, shape (channel,), in each channel's unit
    flags : ndarray of uint8, shape (channel, epoch)
        What is wrong with each epoch, see `hypnoflow.harmonize.quality.Flag`; empty where nobody looked.
    """

    channels: tuple[Channel, ...]
    rate_hz: float
    x: NDArray[np.int16]
    median: NDArray[np.float64]
    iqr: NDArray[np.float64]
    clipped_share: NDArray[np.float64]
    flags: FlagArray = field(default_factory=lambda: np.zeros((0, 0), np.uint8))


@dataclass(slots=True)
class Harmonized:
    """The signals of one recording; `dropped` says which channels are missing, and why.

    `remarks` are suspicions about what is kept; `score` is `quality.recording_score` of the EEG and EOG.
    """

    n_epochs: int
    kinds: dict[Kind, KindSignals]
    dropped: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    score: float = 0.0


def harmonize_signals(file: SignalFile, picks: Sequence[Pick], options: Harmonize, threads: int = 1) -> Harmonized:
    """Derive, check, resample and scale the picked channels, cut to whole epochs.

    Channels are worked on one to a thread: what takes time (reading, BLAS, sorting) leaves Python's lock.

    Raises
    ------
    RecordingError
        If not one epoch fits, or if no EEG and no EOG channel is found or survives the checks.
    """
    n_epochs = int((file.duration_s + 0.5) // EPOCH_S)
    if n_epochs < 1:
        raise RecordingError(f"the recording lasts {file.duration_s:g} s, less than one epoch", path=file.path)
    if not any(pick.kind in SCORED_KINDS for pick in picks):
        raise RecordingError(
            f"no EEG and no EOG among the signals: {', '.join(file.labels)}",
            path=file.path,
            hint="add the label to the cohort's `channels`, or to src/hypnoflow/channels/aliases.csv",
        )
    result = Harmonized(n_epochs, {})
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        rates = {kind: _rate_hz(file, kind, [pick for pick in picks if pick.kind == kind]) for kind in KINDS}
        jobs = [pool.submit(_harmonize_channel, file, pick, rates[pick.kind], n_epochs, options) for pick in picks]
        done = [job.result() for job in jobs]
    for kind in KINDS:
        channels = [one for one in done if isinstance(one, _Ready) and one.channel.kind == kind]
        if channels:
            result.kinds[kind] = together = _together(channels, rates[kind])
            labels = [channel.label for channel in together.channels]
            result.remarks += compare_channels(
                together.x, labels, rate_hz=rates[kind], kind=kind, options=options.quality
            )
    result.dropped |= {pick.label: one for pick, one in zip(picks, done, strict=True) if isinstance(one, str)}
    if not any(kind in result.kinds for kind in SCORED_KINDS):
        reasons = "; ".join(f"{label}: {why}" for label, why in result.dropped.items())
        raise RecordingError(f"no usable EEG or EOG channel ({reasons})", path=file.path)
    result.score = _score(result, [pick.label for pick in picks if pick.kind in SCORED_KINDS])
    return result


def _rate_hz(file: SignalFile, kind: Kind, picks: Sequence[Pick]) -> float:
    """Return the rate at which a kind is kept."""
    if kind in SCORED_KINDS:
        return RATES_HZ[kind]
    return min(RATES_HZ[kind], max((file.rate_hz(pick.plus) for pick in picks), default=RATES_HZ[kind]))


@dataclass(frozen=True, slots=True)
class _Ready:
    """One finished channel; `flags`, shape (epoch,), say what is wrong with it where."""

    channel: Channel
    scaled: Scaled
    flags: FlagArray


def _harmonize_channel(file: SignalFile, pick: Pick, rate_hz: float, n_epochs: int, options: Harmonize) -> _Ready | str:
    """Return a finished channel, or why it is left out."""
    x, source_rate_hz = _derive(file, pick)
    channel = Channel(pick.label, pick.kind, pick.source, source_rate_hz, file.unit(pick.plus))
    problem, flags = _check(x, file.gaps_s, channel, n_epochs, options)
    if problem is not None:
        return problem
    x = resample(_fill(x), rate_in_hz=source_rate_hz, rate_out_hz=rate_hz)
    x = _fit(x, int(round(n_epochs * EPOCH_S * rate_hz)))
    try:
        return _Ready(channel, _scale(x, recorded(file.gaps_s, rate_hz, len(x)), pick.kind, options.clip_iqr), flags)
    except ValueError as error:
        return str(error)


def _together(ready: Sequence[_Ready], rate_hz: float) -> KindSignals:
    """Stack the channels of one kind."""
    return KindSignals(
        channels=tuple(one.channel for one in ready),
        rate_hz=rate_hz,
        x=np.stack([one.scaled.x for one in ready]),
        median=np.array([one.scaled.median for one in ready]),
        iqr=np.array([one.scaled.iqr for one in ready]),
        clipped_share=np.array([one.scaled.clipped_share for one in ready]),
        flags=np.stack([one.flags for one in ready]),
    )


def _check(
    x: FloatArray, gaps_s: Sequence[tuple[float, float]], channel: Channel, n_epochs: int, options: Harmonize
) -> tuple[str | None, FlagArray]:
    """Return why a channel cannot be used, or None, and its flags, shape (epoch,); a gap of the file is no fault."""
    rate_hz = channel.source_rate_hz
    problem = sample_verdict(x[recorded(gaps_s, rate_hz, len(x))], channel.kind, options.quality)
    if problem is not None:
        return problem, np.zeros(n_epochs, np.uint8)
    whole = _fit(x, math.ceil(n_epochs * EPOCH_S * rate_hz))
    flags = assess_channel(whole, rate_hz=rate_hz, kind=channel.kind, options=options.quality, unit=channel.unit)
    return channel_verdict(flags, options.quality), flags


def _score(result: Harmonized, labels: Sequence[str]) -> float:
    """Return the recording's quality score over the channels `labels`, kept or dropped."""
    flags = {
        channel.label: found
        for kind in SCORED_KINDS
        if kind in result.kinds
        for channel, found in zip(result.kinds[kind].channels, result.kinds[kind].flags, strict=True)
    }
    return recording_score(flags, [label for label in labels if label in result.dropped])


def _derive(file: SignalFile, pick: Pick) -> tuple[FloatArray, float]:
    """Return the channel in the file's unit and its rate; of two electrodes the slower is brought to the faster."""
    rate_hz = file.rate_hz(pick.plus)
    x = file.read(pick.plus)
    if not pick.minus:
        return x, rate_hz
    y = file.read(pick.minus)
    if file.rate_hz(pick.minus) != rate_hz:
        y = resample(_fill(y), rate_in_hz=file.rate_hz(pick.minus), rate_out_hz=rate_hz)
    n = min(len(x), len(y))
    return x[:n] - y[:n], rate_hz


def recorded(gaps_s: Sequence[tuple[float, float]], rate_hz: float, n: int) -> slice | NDArray[np.bool_]:
    """Return the index of those of `n` samples that lie outside the file's gaps."""
    if not gaps_s:
        return slice(None)
    present = np.ones(n, bool)
    for start_s, end_s in gaps_s:
        present[math.floor(start_s * rate_hz + 0.5) : math.floor(end_s * rate_hz + 0.5)] = False
    return present


def _fill(x: FloatArray) -> FloatArray:
    if np.isfinite(x.min()) and np.isfinite(x.max()):
        return x
    bad = ~np.isfinite(x)
    return np.where(bad, np.nanmedian(x), x)


def _fit(x: FloatArray, n: int) -> FloatArray:
    """Cut to `n` samples, or hold the last value where rounding left a sample too few."""
    return x[:n] if len(x) >= n else np.pad(x, (0, n - len(x)), mode="edge")


def _scale(x: FloatArray, present: slice | NDArray[np.bool_], kind: Kind, clip_iqr: float) -> Scaled:
    """Scale what was recorded by its own median and range; the gaps are zero, the scaled median."""
    part = x[present]
    # Whole-number oximetry can hold one value for half the night; a Gaussian of its spread stands in there.
    fallback_iqr = 1.349 * float(np.std(part)) if kind == "resp" else 0.0
    scaled = robust_scale(part, clip_iqr, fallback_iqr)
    if len(part) == len(x):
        return scaled
    whole = np.zeros(len(x), np.int16)
    whole[present] = scaled.x
    return replace(scaled, x=whole)

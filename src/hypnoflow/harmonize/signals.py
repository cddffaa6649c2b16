"""From a file's signals to scaled standard channels, kind by kind; what fails is left out and said so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hypnoflow.channels.derive import Pick
from hypnoflow.config import Harmonize
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.quality import (
    Flag,
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
from hypnoflow.io.shard import Map
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


def harmonize_signals(file: SignalFile, picks: Sequence[Pick], options: Harmonize, run: Map = map) -> Harmonized:
    """Derive, check, resample and scale the picked channels, cut to whole epochs.

    `run` maps a function over channels. A thread pool's works on them side by side: what takes time (reading, BLAS,
    sorting) leaves Python's lock.

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
    with threadpool_limits(1, user_api="blas"):
        for kind in KINDS:
            wanted = [pick for pick in picks if pick.kind == kind]
            if wanted:
                _harmonize_kind(file, wanted, options, result, run)
    if not any(kind in result.kinds for kind in SCORED_KINDS):
        reasons = "; ".join(f"{label}: {why}" for label, why in result.dropped.items())
        raise RecordingError(f"no usable EEG or EOG channel ({reasons})", path=file.path)
    result.score = _score(result, [pick.label for pick in picks if pick.kind in SCORED_KINDS])
    return result


def _harmonize_kind(file: SignalFile, picks: Sequence[Pick], options: Harmonize, result: Harmonized, run: Map) -> None:
    """Add the channels of one kind to `result`, and what failed or looks odd."""
    kind = picks[0].kind
    rate_hz = _rate_hz(file, picks)
    # Filled channel by channel, so that no channel is held twice.
    x = np.empty((len(picks), round(result.n_epochs * EPOCH_S * rate_hz)), np.int16)
    jobs = zip(picks, x, strict=True)
    work = partial(_harmonize_channel, file, rate_hz, result.n_epochs, options)
    done = list(run(work, jobs))
    result.dropped |= {pick.label: one for pick, one in zip(picks, done, strict=True) if isinstance(one, str)}
    ready = [one for one in done if isinstance(one, _Ready)]
    if not ready:
        return
    if len(ready) < len(picks):
        x = x[[isinstance(one, _Ready) for one in done]]
    labels = [one.channel.label for one in ready]
    result.remarks += compare_channels(x, labels, rate_hz=rate_hz, kind=kind, options=options.quality, run=run)
    result.kinds[kind] = KindSignals(
        channels=tuple(one.channel for one in ready),
        rate_hz=rate_hz,
        x=x,
        median=np.array([one.median for one in ready]),
        iqr=np.array([one.iqr for one in ready]),
        clipped_share=np.array([one.clipped_share for one in ready]),
        flags=np.stack([one.flags for one in ready]),
    )


def _rate_hz(file: SignalFile, picks: Sequence[Pick]) -> float:
    """Return the rate at which a kind is kept."""
    kind = picks[0].kind
    if kind in SCORED_KINDS:
        return RATES_HZ[kind]
    return min(RATES_HZ[kind], max(file.rate_hz(pick.plus) for pick in picks))


@dataclass(frozen=True, slots=True)
class _Ready:
    """The facts of one finished channel; `flags`, shape (epoch,), say what is wrong with it where."""

    channel: Channel
    median: float
    iqr: float
    clipped_share: float
    flags: FlagArray


def _harmonize_channel(
    file: SignalFile, rate_hz: float, n_epochs: int, options: Harmonize, job: tuple[Pick, NDArray[np.int16]]
) -> _Ready | str:
    """Write a finished channel into the job's array, shape (sample,); return its facts, or why it is left out."""
    pick, out = job
    x, source_rate_hz = _derive(file, pick)
    channel = Channel(pick.label, pick.kind, pick.source, source_rate_hz, file.unit(pick.plus))
    problem, flags = _check(x, file.gaps_s, channel, n_epochs, options)
    if problem is not None:
        return problem
    x = _fit(resample(_fill(x), rate_in_hz=source_rate_hz, rate_out_hz=rate_hz), len(out))
    present = recorded(file.gaps_s, rate_hz, len(out))
    try:
        scaled = _scale(x[present], pick.kind, options.clip_iqr)
    except ValueError as error:
        return str(error)
    if file.gaps_s:
        out[:] = 0  # the scaled median
    out[present] = scaled.x
    return _Ready(channel, scaled.median, scaled.iqr, scaled.clipped_share, flags)


def _check(
    x: FloatArray, gaps_s: Sequence[tuple[float, float]], channel: Channel, n_epochs: int, options: Harmonize
) -> tuple[str | None, FlagArray]:
    """Return why a channel cannot be used, or None, and its flags, shape (epoch,).

    Epochs in a gap of the file are missing, which is no fault of the channel's.
    """
    rate_hz = channel.source_rate_hz
    present = recorded(gaps_s, rate_hz, len(x))
    problem = sample_verdict(x[present], channel.kind, options.quality)
    if problem is not None:
        return problem, np.zeros(n_epochs, np.uint8)
    if gaps_s:
        filled = np.full_like(x, np.nanmedian(x[present]))
        filled[present] = x[present]
        x = filled
    whole = _fit(x, math.ceil(n_epochs * EPOCH_S * rate_hz))
    flags = assess_channel(whole, rate_hz=rate_hz, kind=channel.kind, options=options.quality, unit=channel.unit)
    lost = in_gaps(gaps_s, n_epochs)
    flags[lost] = Flag.MISSING
    return (None if lost.all() else channel_verdict(flags[~lost], options.quality)), flags


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


def in_gaps(gaps_s: Sequence[tuple[float, float]], n_epochs: int) -> NDArray[np.bool_]:
    """Return which epochs lie by half or more in gaps of the recording, shape (epoch,)."""
    lost_s = np.zeros(n_epochs)
    for start_s, end_s in gaps_s:
        for epoch in range(int(start_s // EPOCH_S), min(int(-(-end_s // EPOCH_S)), n_epochs)):
            lost_s[epoch] += min(end_s, (epoch + 1) * EPOCH_S) - max(start_s, epoch * EPOCH_S)
    return lost_s >= EPOCH_S / 2


def _fill(x: FloatArray) -> FloatArray:
    if np.isfinite(x.min()) and np.isfinite(x.max()):
        return x
    bad = ~np.isfinite(x)
    return np.where(bad, np.nanmedian(x), x)


def _fit(x: FloatArray, n: int) -> FloatArray:
    """Cut to `n` samples, or hold the last value where rounding left a sample too few."""
    return x[:n] if len(x) >= n else np.pad(x, (0, n - len(x)), mode="edge")


def _scale(x: FloatArray, kind: Kind, clip_iqr: float) -> Scaled:
    # Whole-number oximetry can hold one value for half the night; a Gaussian of its spread stands in there.
    fallback_iqr = 1.349 * float(np.std(x)) if kind == "resp" else 0.0
    return robust_scale(x, clip_iqr, fallback_iqr)

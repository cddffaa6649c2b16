"""From a file's signals to scaled standard channels, kind by kind; what fails is left out and said so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hypnoflow.channels.derive import Pick
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.alike import compare_channels
from hypnoflow.harmonize.quality import (
    Flag,
    FlagArray,
    Remark,
    assess_channel,
    channel_verdict,
    recording_score,
    sample_verdict,
)
from hypnoflow.harmonize.resample import resample
from hypnoflow.harmonize.scale import Scaled, robust_scale
from hypnoflow.native.signals import expect
from hypnoflow.night.gaps import in_gaps, recorded
from hypnoflow.store.room import Room
from hypnoflow.store.shard import Map
from hypnoflow.types import EPOCH_S, KINDS, RATE_HZ, SCORED_KINDS, Channel, FloatArray, Kind, Samples, SignalFile

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

    `remarks` are suspicions about what is kept; `score` is `quality.recording_score` of the EEG and EOG; `room` is
    where the samples lie.
    """

    n_epochs: int
    kinds: dict[Kind, KindSignals]
    dropped: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    score: float = 0.0
    room: Room = field(default_factory=lambda: Room(0))


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
        _harmonize_kinds(file, picks, options, result, run)
    if not any(kind in result.kinds for kind in SCORED_KINDS):
        reasons = "; ".join(f"{label}: {why}" for label, why in result.dropped.items())
        raise RecordingError(f"no usable EEG or EOG channel ({reasons})", path=file.path)
    result.score = _score(result, [pick.label for pick in picks if pick.kind in SCORED_KINDS])
    return result


def _harmonize_kinds(file: SignalFile, picks: Sequence[Pick], options: Harmonize, result: Harmonized, run: Map) -> None:
    """Add the channels of every kind to `result`, and what failed or looks odd."""
    by_kind = {kind: [pick for pick in picks if pick.kind == kind] for kind in KINDS}
    wanted = {kind: group for kind, group in by_kind.items() if group}
    rates_hz = {kind: _rate_hz(file, group) for kind, group in wanted.items()}
    # Filled channel by channel, so that no channel is held twice; all kinds at once, so that no thread waits.
    shapes = {kind: (len(group), round(result.n_epochs * EPOCH_S * rates_hz[kind])) for kind, group in wanted.items()}
    room = result.room = Room(2 * sum(map(math.prod, shapes.values())))
    arrays = {kind: room.array(shape) for kind, shape in shapes.items()}
    jobs = [
        (pick, rates_hz[kind], out)
        for kind, group in wanted.items()
        for pick, out in zip(group, arrays[kind], strict=True)
    ]
    expect(file, [label for pick, _, _ in jobs for label in (pick.plus, pick.minus) if label], run)

    run = room.settling(run)
    done = list(run(partial(_harmonize_channel, file, result.n_epochs, options), jobs))
    result.dropped |= {pick.label: one for (pick, _, _), one in zip(jobs, done, strict=True) if isinstance(one, str)}
    for kind, x in arrays.items():
        of_kind = [one for (pick, _, _), one in zip(jobs, done, strict=True) if pick.kind == kind]
        ready = [one for one in of_kind if isinstance(one, _Ready)]
        if ready:
            kept = _compacted(x, [isinstance(one, _Ready) for one in of_kind], room)
            result.kinds[kind] = _kind_signals(ready, rates_hz[kind], kept)
            labels = [one.channel.label for one in ready]
            result.remarks += compare_channels(
                kept, labels, rate_hz=rates_hz[kind], kind=kind, options=options.quality, run=run
            )


def _compacted(x: NDArray[np.int16], kept: Sequence[bool], room: Room) -> NDArray[np.int16]:
    """Return the rows that are kept, moved together in place: a copy of a long night may not fit."""
    rows = [i for i, is_kept in enumerate(kept) if is_kept]
    for to, i in enumerate(rows):
        if to != i:
            x[to] = x[i]
            room.settle()
    return x[: len(rows)]


def _kind_signals(ready: Sequence[_Ready], rate_hz: float, x: NDArray[np.int16]) -> KindSignals:
    return KindSignals(
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
    file: SignalFile, n_epochs: int, options: Harmonize, job: tuple[Pick, float, NDArray[np.int16]]
) -> _Ready | str:
    """Write a finished channel into the job's array, shape (sample,), at the job's rate.

    Returns
    -------
    _Ready or str
        Its facts, or why it is left out.
    """
    pick, rate_hz, out = job
    found, source_rate_hz = _derive(file, pick)
    x = found.values
    channel = Channel(pick.label, pick.kind, pick.source, source_rate_hz, file.unit(pick.plus))
    problem, flags = _check(found, file.gaps_s, channel, n_epochs, options)
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
    # Scaled signals know no unit: only the facts have to be brought to it.
    out[present] = scaled.x if found.gain > 0 else -scaled.x
    median = scaled.median * found.gain + found.offset
    return _Ready(channel, median, scaled.iqr * abs(found.gain), scaled.clipped_share, flags)


def _check(
    found: Samples, gaps_s: Sequence[tuple[float, float]], channel: Channel, n_epochs: int, options: Harmonize
) -> tuple[str | None, FlagArray]:
    """Return why a channel cannot be used, or None, and its flags, shape (epoch,).

    Epochs in a gap of the file are missing, which is no fault of the channel's.
    """
    x, rate_hz = found.values, channel.source_rate_hz
    present = recorded(gaps_s, rate_hz, len(x))
    problem = sample_verdict(x[present], channel.kind, options.quality)
    if problem is not None:
        return problem, np.zeros(n_epochs, np.uint8)
    if gaps_s:
        filled = np.full_like(x, np.nanmedian(x[present]))
        filled[present] = x[present]
        x = filled
    whole = _fit(x, math.ceil(n_epochs * EPOCH_S * rate_hz))
    flags = assess_channel(
        whole,
        rate_hz=rate_hz,
        kind=channel.kind,
        options=options.quality,
        unit=channel.unit,
        gain=found.gain,
    )
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


def _derive(file: SignalFile, pick: Pick) -> tuple[Samples, float]:
    """Return the channel and its rate; of two electrodes the slower is brought to the faster."""
    rate_hz = file.rate_hz(pick.plus)
    if not pick.minus:
        return file.samples(pick.plus), rate_hz
    x, y = file.read(pick.plus), file.read(pick.minus)
    if file.rate_hz(pick.minus) != rate_hz:
        y = resample(_fill(y), rate_in_hz=file.rate_hz(pick.minus), rate_out_hz=rate_hz)
    n = min(len(x), len(y))
    return Samples(x[:n] - y[:n]), rate_hz


def _fill(x: NDArray[Any]) -> NDArray[Any]:
    if x.dtype == np.int16 or np.isfinite(x.min()) and np.isfinite(x.max()):
        return x
    bad = ~np.isfinite(x)
    return np.where(bad, np.nanmedian(x), x)


def _fit(x: NDArray[Any], n: int) -> NDArray[Any]:
    """Cut to `n` samples, or hold the last value where rounding left a sample too few."""
    return x[:n] if len(x) >= n else np.pad(x, (0, n - len(x)), mode="edge")


def _scale(x: FloatArray, kind: Kind, clip_iqr: float) -> Scaled:
    # Whole-number oximetry can hold one value for half the night; a Gaussian of its spread stands in there.
    fallback_iqr = 1.349 * float(np.std(x)) if kind == "resp" else 0.0
    return robust_scale(x, clip_iqr, fallback_iqr)

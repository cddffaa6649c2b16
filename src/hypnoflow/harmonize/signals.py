"""From a file's signals to scaled standard channels, kind by kind; what fails is left out and said so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hypnoflow.channels.derive import Pick
from hypnoflow.config import Harmonize
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.resample import resample
from hypnoflow.harmonize.scale import robust_scale
from hypnoflow.types import EPOCH_S, KINDS, RATE_HZ, SCORED_KINDS, Channel, FloatArray, Kind, SignalFile

# Highest rate that is kept of each kind. What networks see is always at this rate; another kind whose files are
# slower keeps their own highest rate, since more samples would hold nothing more.
RATES_HZ: dict[Kind, float] = {"eeg": RATE_HZ, "eog": RATE_HZ, "emg": RATE_HZ, "ecg": RATE_HZ, "resp": 16}
NAN_SHARE = 0.05  # a channel with more missing samples than this is dropped; fewer are set to the median


@dataclass(frozen=True, slots=True)
class KindSignals:
    """All channels of one kind at one rate.

    x : ndarray of int16, shape (channel, sample)
        Scaled signals, see `hypnoflow.harmonize.scale`.
    median, iqr : ndarray, shape (channel,), in each channel's unit
    """

    channels: tuple[Channel, ...]
    rate_hz: float
    x: NDArray[np.int16]
    median: NDArray[np.float64]
    iqr: NDArray[np.float64]
    clipped_share: NDArray[np.float64]


@dataclass(slots=True)
class Harmonized:
    """The signals of one recording; `dropped` says which channels are missing, and why."""

    n_epochs: int
    kinds: dict[Kind, KindSignals]
    dropped: dict[str, str] = field(default_factory=dict)


def harmonize_signals(file: SignalFile, picks: Sequence[Pick], options: Harmonize) -> Harmonized:
    """Derive, check, resample and scale the picked channels, cut to whole epochs.

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
    for kind in KINDS:
        wanted = [pick for pick in picks if pick.kind == kind]
        if wanted:
            signals = _harmonize_kind(file, wanted, n_epochs, options, result.dropped)
            if signals is not None:
                result.kinds[kind] = signals
    if not any(kind in result.kinds for kind in SCORED_KINDS):
        reasons = "; ".join(f"{label}: {why}" for label, why in result.dropped.items())
        raise RecordingError(f"no usable EEG or EOG channel ({reasons})", path=file.path)
    return result


def _harmonize_kind(
    file: SignalFile, picks: Sequence[Pick], n_epochs: int, options: Harmonize, dropped: dict[str, str]
) -> KindSignals | None:
    kind = picks[0].kind
    rate_hz = RATES_HZ[kind]
    if kind not in SCORED_KINDS:
        rate_hz = min(rate_hz, max(file.rate_hz(pick.plus) for pick in picks))
    n = int(round(n_epochs * EPOCH_S * rate_hz))
    channels, scaled = [], []
    for pick in picks:
        x, source_rate_hz = _derive(file, pick)
        problem = _problem(x[recorded(file.gaps_s, source_rate_hz, len(x))], kind, options.flat_share)
        if problem is None:
            x = _fit(resample(_fill(x), rate_in_hz=source_rate_hz, rate_out_hz=rate_hz), n)
            try:
                scaled.append(_scale(x, recorded(file.gaps_s, rate_hz, n), kind, options.clip_iqr))
                channels.append(Channel(pick.label, kind, pick.source, source_rate_hz, file.unit(pick.plus)))
            except ValueError as error:
                problem = str(error)
        if problem is not None:
            dropped[pick.label] = problem
    if not channels:
        return None
    x16, median, iqr, clipped = zip(*scaled, strict=True)
    return KindSignals(tuple(channels), rate_hz, np.stack(x16), *(np.array(a) for a in (median, iqr, clipped)))


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


def _problem(x: FloatArray, kind: Kind, flat_share: float) -> str | None:
    """Return why a channel cannot be used, or None."""
    missing = float(np.mean(~np.isfinite(x))) if len(x) else 1.0
    if missing > NAN_SHARE:
        return f"{missing:.0%} of the samples are missing"
    if np.nanmax(x) == np.nanmin(x):
        return "flat: one value throughout"
    repeated = float(np.mean(np.diff(x) == 0))
    if kind != "resp" and repeated >= flat_share:  # an oximeter repeats itself by nature
        return f"flat for {repeated:.0%} of the recording"
    return None


def _fill(x: FloatArray) -> FloatArray:
    bad = ~np.isfinite(x)
    return np.where(bad, np.nanmedian(x), x) if bad.any() else x


def _fit(x: FloatArray, n: int) -> FloatArray:
    """Cut to `n` samples, or hold the last value where rounding left a sample too few."""
    return x[:n] if len(x) >= n else np.pad(x, (0, n - len(x)), mode="edge")


def _scale(
    x: FloatArray, present: slice | NDArray[np.bool_], kind: Kind, clip_iqr: float
) -> tuple[NDArray[np.int16], float, float, float]:
    """Scale what was recorded by its own median and range; the gaps are zero, the scaled median."""
    scaled_x = np.zeros(len(x), np.int16)
    x = x[present]
    # Whole-number oximetry can hold one value for half the night; a Gaussian of its spread stands in there.
    fallback_iqr = 1.349 * float(np.std(x)) if kind == "resp" else 0.0
    scaled = robust_scale(x, clip_iqr, fallback_iqr)
    scaled_x[present] = scaled.x
    return scaled_x, scaled.median, scaled.iqr, scaled.clipped_share

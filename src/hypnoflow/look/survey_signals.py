"""Statistics of one harmonized recording, a channel at a time: its quality, and its power by stage and band."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.signal import welch

from hypnoflow.harmonize.quality import Flag
from hypnoflow.store.shard import ShardedArray
from hypnoflow.store.store import open_recording
from hypnoflow.types import EPOCH_S, INT16_MAX, KINDS, SCORED_KINDS, STAGES, Kind

BANDS_HZ = {"delta": (0.5, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 12.0), "sigma": (12.0, 15.0), "beta": (15.0, 30.0)}
SEGMENT_S = 4
POWERS = tuple(f"{band}_{stage}_uv2" for stage in STAGES for band in BANDS_HZ)
FLAGS = tuple(f"{str(flag.name).lower()}_epochs_share" for flag in Flag)
COLUMNS = ("hours", "iqr", "clipped_samples_share", *FLAGS, "flagged_epochs_share", *POWERS)

# Kind, standard label and unit of each channel, and an array of shape (channel, column) with the columns `COLUMNS`.
ChannelRows = tuple[list[tuple[Kind, str, str]], NDArray[np.float64]]


def recording_rows(store: Path, recording: str, epochs: int) -> ChannelRows:
    """Return the statistics of each channel of one recording; one channel is held at a time.

    Parameters
    ----------
    epochs : int
        Most epochs of a stage that powers are taken from.

    Raises
    ------
    RecordingError
        If the recording cannot be read.
    """
    night = open_recording(store, recording)
    names: list[tuple[Kind, str, str]] = []
    rows = []
    for kind in KINDS:
        if kind in night:
            array = ShardedArray.open(store / recording / kind)
            labels, units = (night[f"{kind}_{name}"].values.tolist() for name in ("channel", "unit"))
            names += [(kind, label, unit) for label, unit in zip(labels, units, strict=True)]
            rows += [list(_channel(night, kind, i, array, epochs)) for i in range(len(labels))]
    return names, np.array(rows, float).reshape(len(rows), len(COLUMNS))


def _channel(night: xr.Dataset, kind: Kind, i: int, array: ShardedArray, epochs: int) -> Iterator[float]:
    """Yield the columns of one channel, in the order of `COLUMNS`."""
    x = array.read(i, 0, array.shape[1])
    flags = night[f"{kind}_quality"].values[i]
    rate_hz = float(night[kind].attrs["rate_hz"])
    iqr = float(night[f"{kind}_iqr{'' if kind == 'resp' else '_uv'}"].values[i])
    yield len(x) / rate_hz / 3600
    yield iqr
    yield np.count_nonzero(np.abs(x) == INT16_MAX) / max(len(x), 1)
    yield from (float(np.mean(flags & flag != 0)) for flag in Flag)
    yield float(np.mean(flags != 0))
    if kind in SCORED_KINDS and night[f"{kind}_unit"].values[i] == "uV":
        unit_uv = float(night[kind].encoding["scale_factor"]) * iqr
        yield from stage_powers(x, night["stage"].values, flags == 0, rate_hz, epochs) * unit_uv**2
    else:
        yield from np.full(len(POWERS), np.nan)


def stage_powers(
    x: NDArray[np.int16], stage: NDArray[np.uint8], clean: NDArray[np.bool_], rate_hz: float, epochs: int
) -> NDArray[np.float64]:
    """Return the median power of a stage's epochs in each band, as `POWERS`; NaN where a stage has no clean epoch.

    Welch's periodograms (1967, doi 10.1109/TAU.1967.1161901) of 4-s Hann windows, half overlapping; of at most
    `epochs` clean epochs of each stage, evenly spread over them.

    Parameters
    ----------
    x : ndarray of int16, shape (sample,)
    stage, clean : ndarray, shape (epoch,)

    Returns
    -------
    ndarray, shape (stage * band,)
        In the square of the unit of `x`.
    """
    n = round(EPOCH_S * rate_hz)
    whole = x[: len(stage) * n].reshape(-1, n)
    found = np.full((len(STAGES), len(BANDS_HZ)), np.nan)
    for s in range(len(STAGES)):
        at = np.flatnonzero((stage == s) & clean)
        if len(at):
            some = at[np.unique(np.linspace(0, len(at) - 1, epochs).round().astype(int))] if len(at) > epochs else at
            found[s] = np.median(_band_powers(whole[some].astype(np.float64), rate_hz), axis=0)
    return found.ravel()


def _band_powers(x: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Return the power of each epoch in each band, shape (epoch, band)."""
    frequency_hz, density = welch(x, rate_hz, nperseg=round(SEGMENT_S * rate_hz))
    within = np.array([(frequency_hz >= low) & (frequency_hz < high) for low, high in BANDS_HZ.values()])
    return np.asarray(density @ within.T * frequency_hz[1])

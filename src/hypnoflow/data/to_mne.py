"""Signals, stages and events of an opened recording as one `mne.io.RawArray`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import mne
import numpy as np
import xarray as xr

from hypnoflow.types import EPOCH_S, EVENT_KINDS, STAGES, UNSCORED, FloatArray, Kind

STAGE_WORDS = {code: f"Sleep stage {name}" for code, name in enumerate(STAGES)} | {UNSCORED: "Sleep stage ?"}


@dataclass(frozen=True, slots=True)
class Signals:
    """Channels of one kind. x : ndarray, shape (channel, sample), in `unit`."""

    kind: Kind
    label: list[str]
    source: list[str]
    unit: list[str]
    x: FloatArray


def raw_array(data: xr.Dataset, signals: Sequence[Signals], rate_hz: float, first_s: float) -> Any:
    """Return a Raw of all signals, whose first sample lies `first_s` after the recording's first.

    Stages and events are those of `data`; what lies outside of the signals is cut.
    """
    labels = [label for one in signals for label in one.label]
    info = mne.create_info(labels, rate_hz, [_channel_type(one.kind, label) for one in signals for label in one.label])
    n = min(one.x.shape[1] for one in signals)  # resampling to a fraction can round up
    raw = mne.io.RawArray(np.concatenate([_volts(one)[:, :n] for one in signals]), info, verbose="warning")
    start = data.attrs.get("start")
    if start is not None:
        raw.set_meas_date(_utc(start) + timedelta(seconds=first_s))
    # Events name a channel as the file does.
    names = {source: label for one in signals for source, label in zip(one.source, one.label, strict=True)}
    names |= {label: label for label in labels}
    raw.set_annotations(_annotations(data, first_s, n / rate_hz, names), emit_warning=False)
    return raw


def _channel_type(kind: Kind, label: str) -> str:
    return "misc" if label == "SpO2" else kind


def _volts(signals: Signals) -> FloatArray:
    factor = np.where(np.array(signals.unit) == "uV", 1e-6, 1.0)
    return np.asarray(signals.x, float) * factor[:, None]


def _utc(start: str) -> datetime:
    """Return an ISO 8601 time in UTC, which MNE demands; a clock without a zone is taken for UTC."""
    time = datetime.fromisoformat(start)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _annotations(data: xr.Dataset, first_s: float, duration_s: float, names: dict[str, str]) -> mne.Annotations:
    """Return what meets the signals: first all epochs' stages, then the events."""
    rows: list[tuple[float, float, str, tuple[str, ...], dict[str, str]]] = []
    if "stage" in data:
        for onset_s, code in zip(data["epoch_onset_s"].values, data["stage"].values, strict=True):
            rows.append((onset_s - first_s, EPOCH_S, STAGE_WORDS[int(code)], (), {}))
    if "event" in data.dims:
        columns = ("onset_s", "duration_s", "kind", "channel", "source")
        for onset_s, length_s, kind, channel, source in zip(
            *(data[f"event_{name}"].values for name in columns), strict=True
        ):
            where = (names[channel],) if channel in names else ()
            extras = {"channel": str(channel), "source": str(source)}
            rows.append((onset_s - first_s, length_s, EVENT_KINDS[kind], where, extras))
    met = [row for row in rows if row[0] < duration_s and row[0] + row[1] >= 0]
    onset, length, word, channels, extras_ = ([row[i] for row in met] for i in range(5))
    return mne.Annotations(onset, length, word, ch_names=channels, extras=extras_)

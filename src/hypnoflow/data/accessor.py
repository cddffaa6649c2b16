"""What an opened recording can do besides being an xarray Dataset: ``data.hypnoflow.to_mne()`` and others.

Importing this module registers the accessor; `hypnoflow.open_recording` does so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import xarray as xr

from hypnoflow.data.to_mne import Signals, raw_array
from hypnoflow.errors import RecordingError, did_you_mean
from hypnoflow.harmonize.resample import resample
from hypnoflow.store.store import open_recording
from hypnoflow.types import EPOCH_S, KINDS, SCORED_KINDS, Kind

__all__ = ["RecordingAccessor", "open_recording"]


@xr.register_dataset_accessor("hypnoflow")
class RecordingAccessor:
    """Methods of a Dataset that `hypnoflow.open_recording` opened, and of every part of it."""

    def __init__(self, data: xr.Dataset):
        self._data = data

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of signals that are there, in the order of `hypnoflow.types.KINDS`."""
        return tuple(kind for kind in KINDS if kind in self._data)

    def microvolts(self, kind: str) -> xr.DataArray:
        """Return the signals of one kind unscaled.

        Parameters
        ----------
        kind : {"eeg", "eog", "emg", "ecg", "resp"}

        Returns
        -------
        DataArray, shape (channel, sample)
            In microvolts, or in the unit of the file where the signal is no potential: the coordinate `resp_unit`
            says which, and so does the attribute `units` where all channels share one. What was clipped stays
            clipped. Arithmetic reads all that the Dataset holds, so cut it first: ``data.hypnoflow.window(0, 60)``.

        Raises
        ------
        RecordingError
            If there are no such signals.
        """
        [known] = self._known([kind])
        suffix = "" if known == "resp" else "_uv"
        data, iqr, median = (self._data[name] for name in (known, f"{known}_iqr{suffix}", f"{known}_median{suffix}"))
        units = set(np.atleast_1d(data[f"{known}_unit"].values).tolist())
        attributes = {"rate_hz": data.attrs["rate_hz"]} | ({"units": units.pop()} if len(units) == 1 else {})
        unscaled = (data * iqr + median).rename(known)
        unscaled.attrs = attributes
        return unscaled

    def window(self, start_s: float, stop_s: float) -> xr.Dataset:
        """Return the part from `start_s` until before `stop_s`, lazily: samples, and epochs and events that meet it.

        Raises
        ------
        RecordingError
            If the window holds no sample.
        """
        data, cuts = self._data, {}
        for kind in self.kinds:
            first_s, rate_hz = _timing(data, kind)
            cuts[f"{kind}_time"] = slice(*(max(0, round((at - first_s) * rate_hz)) for at in (start_s, stop_s)))
        cut = data.isel(cuts)
        empty = [kind for kind in self.kinds if not cut.sizes[f"{kind}_time"]]
        if empty:
            raise RecordingError(f"no {empty[0]} samples between {start_s:g} and {stop_s:g} s", recording=_name(data))
        if "epoch" in data.dims:
            onset = data["epoch_onset_s"].values
            cut = cut.isel(epoch=np.flatnonzero((onset + EPOCH_S > start_s) & (onset < stop_s)))
        if "event" in data.dims:
            onset, end = data["event_onset_s"].values, (data["event_onset_s"] + data["event_duration_s"]).values
            cut = cut.isel(event=np.flatnonzero((end >= start_s) & (onset < stop_s)))
        return cut

    def pick(self, channels: Sequence[str]) -> xr.Dataset:
        """Return the named channels in that order, with stages and events; kinds without any of them are left out.

        Raises
        ------
        RecordingError
            If a channel is not there.
        """
        data = self._data
        labels = {kind: data[f"{kind}_channel"].values.tolist() for kind in self.kinds}
        known = [label for of_kind in labels.values() for label in of_kind]
        for label in channels:
            if label not in known:
                what = f"no channel {label!r}{did_you_mean(label, known)}"
                raise RecordingError(what, recording=_name(data), hint=f"its channels are {', '.join(known)}")
        for kind, of_kind in labels.items():
            places = [of_kind.index(label) for label in channels if label in of_kind]
            dims = [f"{kind}_channel", f"{kind}_time"]
            data = data.isel({dims[0]: places}) if places else data.drop_dims(dims)
        return data

    def to_mne(self, kinds: Sequence[str] | None = None, *, rate_hz: float | None = None) -> Any:
        """Read signals, stages and events into an `mne.io.RawArray`.

        Parameters
        ----------
        kinds : sequence of str, optional
            Kinds of signals to take; by default the EEG and the EOG, which share one rate.
        rate_hz : float, optional
            Rate to resample to. Needed where the kinds have different rates.

        Returns
        -------
        mne.io.RawArray
            Potentials in volts; other signals in the unit of the file. Channel types are eeg, eog, emg, ecg and resp,
            and misc for oxygen saturation. The measurement date is the recording's start, taken for UTC, moved to the
            first sample that is left; None where the start is unknown. One annotation of 30 s per epoch, "Sleep stage
            W", N1, N2, N3, R or "?", so that epochs can be cut with or without MNE's `chunk_duration`; and one per
            event, described by its kind, with its channel where that is in the Raw, and the file's own channel and
            word in `extras`.

        Raises
        ------
        RecordingError
            If a kind is not there, if the kinds have different rates and no `rate_hz` is given, or if samples
            within the recording were left out.
        """
        chosen = self._known(kinds if kinds is not None else [kind for kind in self.kinds if kind in SCORED_KINDS])
        if not chosen:
            raise RecordingError("no EEG and no EOG to take", recording=_name(self._data), hint=self._hint())
        timing = {kind: _timing(self._data, kind) for kind in chosen}
        rates = {kind: rate for kind, (_, rate) in timing.items()}
        if rate_hz is None and len(set(rates.values())) > 1:
            found = ", ".join(f"{kind} {rate:g} Hz" for kind, rate in rates.items())
            hint = f"take fewer kinds, or resample all with rate_hz={max(rates.values()):g}"
            raise RecordingError(f"an MNE Raw has one rate, found {found}", recording=_name(self._data), hint=hint)
        first_s = [first for first, _ in timing.values()]
        if max(first_s) - min(first_s) >= 1 / min(rates.values()):
            raise RecordingError("the kinds do not begin at one time", recording=_name(self._data))
        rate_out_hz = rates[chosen[0]] if rate_hz is None else rate_hz
        return raw_array(self._data, [self._signals(kind, rate_out_hz) for kind in chosen], rate_out_hz, first_s[0])

    def _signals(self, kind: Kind, rate_hz: float) -> Signals:
        """Read the signals of one kind at another rate."""
        data = self.microvolts(kind)
        x = np.atleast_2d(data.values)
        if data.attrs["rate_hz"] != rate_hz:
            x = np.stack([resample(one, rate_in_hz=data.attrs["rate_hz"], rate_out_hz=rate_hz) for one in x])
        label, source, unit = (
            np.atleast_1d(data[f"{kind}_{name}"].values).tolist() for name in ("channel", "source", "unit")
        )
        return Signals(kind, label, source, unit, x)

    def _known(self, kinds: Sequence[str]) -> list[Kind]:
        """Return the kinds as they are, unless one is not there."""
        for kind in kinds:
            if kind not in self.kinds:
                what = f"no {kind!r} signals{did_you_mean(kind, KINDS)}"
                raise RecordingError(what, recording=_name(self._data), hint=self._hint())
        return [cast(Kind, kind) for kind in kinds]

    def _hint(self) -> str:
        return f"this recording has {', '.join(self.kinds) or 'no signals'}"


def _timing(data: xr.Dataset, kind: Kind) -> tuple[float, float]:
    """Return the time of the first sample, s, and the rate, Hz; RecordingError if samples are not at that rate."""
    time, rate_hz = data[f"{kind}_time"], float(data[kind].attrs["rate_hz"])
    if not time.size:
        raise RecordingError(f"no {kind} samples are left", recording=_name(data))
    first_s, last_s = float(time[0]), float(time[-1])
    if abs((last_s - first_s) * rate_hz - (time.size - 1)) > 0.5:
        what = f"the {kind} samples are not {rate_hz:g} to a second: some were left out"
        raise RecordingError(what, recording=_name(data), hint="cut with data.hypnoflow.window instead")
    return first_s, rate_hz


def _name(data: xr.Dataset) -> str:
    return str(data.attrs.get("recording", ""))

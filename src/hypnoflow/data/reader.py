"""The one place where a night becomes a network's input: any kinds of channels, any rate, scaled or in microvolts.

A night comes from a store of ours or straight from a file. Either way it is scored by the same lines: channels are
chosen as the network's `Input` says, missing ones are masked, and where nothing was recorded is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hypnoflow.harmonize.resample import resample
from hypnoflow.models.contract import Input, View
from hypnoflow.models.parts.night_signals import Row, Signals
from hypnoflow.store.room import Room
from hypnoflow.types import EPOCH_S, INT16_MAX, RATE_HZ, FloatArray, Kind

if TYPE_CHECKING:  # who trains runs nothing of what harmonizes
    from hypnoflow.harmonize.signals import Harmonized


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of one harmonized channel beside its samples.

    factor : float
        What the stored integers are multiplied by, for robustly scaled units.
    median, iqr : float
        Of the channel, in its own unit: microvolts, or what respiration is recorded in.
    """

    kind: Kind
    label: str = ""
    rate_hz: float = RATE_HZ
    factor: float = 1.0
    median: float = 0.0
    iqr: float = 1.0

    def in_unit(self, wanted: Input) -> tuple[float, float]:
        """Return the factor and the offset that bring the stored integers to the unit that a network reads."""
        return (self.factor, 0.0) if wanted.unit == "scaled" else (self.factor * self.iqr, self.median)


@dataclass(frozen=True, slots=True)
class Night:
    """One night as harmonized.

    channels : tuple of Described
    x : sequence of ndarray of int16, shape (sample,)
        Samples of each channel, at its own rate.
    gaps_s : sequence of (begin, end)
        Where nothing was recorded, s from the first sample.
    room : Room
        Where the samples lie.
    """

    channels: tuple[Described, ...]
    x: Sequence[NDArray[np.int16]]
    n_epochs: int
    gaps_s: Sequence[tuple[float, float]] = ()
    room: Room = field(default_factory=lambda: Room(0))

    def signals(self, view: View, wanted: Input) -> Signals:
        """Return the channels that a network sees together, as it reads them; see `Input.views`."""
        rows, factors, offsets = list[Row | None](), list[float](), list[float]()
        for i in view:
            factor, offset = (1.0, 0.0) if i is None else self.channels[i].in_unit(wanted)
            if i is None:
                rows.append(None)
            elif self.channels[i].rate_hz == wanted.rate_hz:
                rows.append(self.x[i])
            else:
                rows.append(self._resampled(i, wanted.rate_hz, factor, offset))
            factors.append(factor)
            offsets.append(offset)
        return Signals(rows, factors, self.room.settle, offsets)

    def _resampled(self, i: int, rate_hz: float, factor: float, offset: float) -> NDArray[np.float32]:
        x = np.multiply(self.x[i], np.float32(factor), dtype=np.float32) + np.float32(offset)
        return fitted(
            resample(x, rate_in_hz=self.channels[i].rate_hz, rate_out_hz=rate_hz),
            round(self.n_epochs * EPOCH_S * rate_hz),
        )


def named(channels: Sequence[Described]) -> list[tuple[Kind, str]]:
    """Return kind and label of each channel, as `Input.views` takes them."""
    return [(channel.kind, channel.label) for channel in channels]


def fitted(x: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Return `n` samples, the last one held where rounding left one too few."""
    return x[:n] if len(x) >= n else np.pad(x, (0, n - len(x)), mode="edge")


def seen(x: FloatArray, view: View) -> tuple[Tensor, Tensor]:
    """Return what a network sees of channels: those of `view`, zeros for an empty slot; and which are there.

    Parameters
    ----------
    x : ndarray, shape (channel, sample)

    Returns
    -------
    Tensor, shape (channel of the view, sample); Tensor of bool, shape (channel of the view,)
    """
    rows = [np.zeros(x.shape[1], x.dtype) if i is None else x[i] for i in view]
    return torch.from_numpy(np.stack(rows)), torch.tensor([i is not None for i in view])


def night_of(harmonized: Harmonized, clip_iqr: float, gaps_s: Sequence[tuple[float, float]]) -> Night:
    """Return a night that was harmonized just now, without a store."""
    channels, x = [], []
    for kind, signals in harmonized.kinds.items():
        for i, channel in enumerate(signals.channels):
            facts = float(signals.median[i]), float(signals.iqr[i])
            channels.append(Described(kind, channel.label, signals.rate_hz, clip_iqr / INT16_MAX, *facts))
            x.append(signals.x[i])
    return Night(tuple(channels), x, harmonized.n_epochs, list(gaps_s), harmonized.room)

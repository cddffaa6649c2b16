"""One night's signals as networks take them, brought to floats where they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Row = Tensor | NDArray[np.int16] | NDArray[np.float32]


def _nothing() -> None:
    """Settle nothing."""


class Signals:
    """The channels of one night, at the rate of the network that takes them.

    Parameters
    ----------
    rows : sequence of Tensor or ndarray, shape (sample,), or None
        A row per channel: floats, or int16 to be multiplied by a factor; None for a channel that is missing, which
        reads as zeros.
    factor : float or sequence of float
        Size of a step of the integers, of all channels or of each.
    offset : sequence of float, optional
        What is added to the integers, times the factor, of each channel.
    settle : callable
        Lets go of the memory of rows that lie in a file, see `hypnoflow.store.room`.
    """

    def __init__(
        self,
        rows: Sequence[Row | None] | Tensor,
        factor: float | Sequence[float] = 1.0,
        settle: Callable[[], None] = _nothing,
        offset: Sequence[float] | None = None,
    ):
        n = len(rows)
        self._rows, self.settle = rows, settle
        factors = [factor] * n if isinstance(factor, float) else factor
        self._factors = [np.float32(each) for each in factors]
        self._offsets = [np.float32(each) for each in offset or [0.0] * n]
        self.n_samples = next((len(row) for row in rows if row is not None), 0)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def present(self) -> Tensor:
        """Return which channels are there, shape (channel,)."""
        return torch.tensor([row is not None for row in self._rows])

    def part(self, channel: int, start: int = 0, stop: int | None = None) -> Tensor:
        """Return samples of one channel, shape (sample,)."""
        row = self._rows[channel]
        if row is None:
            return torch.zeros(len(range(*slice(start, stop).indices(self.n_samples))))
        row = row[start:stop]
        if isinstance(row, Tensor):
            return row
        if row.dtype == np.int16:
            x = np.multiply(row, self._factors[channel], dtype=np.float32)
            if self._offsets[channel]:
                x += self._offsets[channel]
            return torch.from_numpy(x)
        return torch.from_numpy(row)

    def tensor(self) -> Tensor:
        """Return all channels, shape (channel, sample)."""
        return torch.stack([self.part(channel) for channel in range(len(self))])

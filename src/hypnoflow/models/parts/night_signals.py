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
    """The channels of one night, in scaled units at 128 Hz.

    Parameters
    ----------
    rows : sequence of Tensor or ndarray, shape (sample,)
        A row per channel: floats, or int16 to be multiplied by `factor`.
    factor : float
        Size of a step of the integers.
    settle : callable
        Lets go of the memory of rows that lie in a file, see `hypnoflow.store.room`.
    """

    def __init__(
        self,
        rows: Sequence[Row] | Tensor,
        factor: float = 1.0,
        settle: Callable[[], None] = _nothing,
    ):
        self._rows, self._factor, self.settle = rows, np.float32(factor), settle

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_samples(self) -> int:
        """Length of each channel."""
        return len(self._rows[0])

    def part(self, channel: int, start: int = 0, stop: int | None = None) -> Tensor:
        """Return samples of one channel, shape (sample,)."""
        row = self._rows[channel][start:stop]
        if isinstance(row, Tensor):
            return row
        if row.dtype == np.int16:
            return torch.from_numpy(np.multiply(row, self._factor, dtype=np.float32))
        return torch.from_numpy(row)

    def tensor(self) -> Tensor:
        """Return all channels, shape (channel, sample)."""
        return torch.stack([self.part(channel) for channel in range(len(self))])

    def channels(self, which: Sequence[int]) -> Signals:
        """Return some of the channels."""
        return Signals([self._rows[i] for i in which], float(self._factor), self.settle)

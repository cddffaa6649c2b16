"""Batches of windows as tensors, each a function of the seed and of the number of its update alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from hypnoflow.data.recordings import SignalReader, window_labels
from hypnoflow.data.sampler import Window, WindowSampler
from hypnoflow.seeds import generator
from hypnoflow.types import UNSCORED


@dataclass(frozen=True, slots=True)
class Plan:
    """Which windows this process reads for which update.

    Attributes
    ----------
    seed : int
        With `names`, what the windows of all updates derive from.
    batch_size : int
        Windows of an update, on all processes together.
    accumulate : int
        Parts that the batch is cut into; each process takes an equal share of every part.
    rank, world : int
        Number of this process, and of all.
    first_update : int
        Where to begin.
    """

    seed: int
    names: tuple[str | int, ...]
    batch_size: int
    accumulate: int = 1
    rank: int = 0
    world: int = 1
    first_update: int = 0

    def windows(self, sampler: WindowSampler, update: int) -> list[Window]:
        """Return the windows of one update, the same on every process."""
        return sampler.batch(self.batch_size, generator(self.seed, *self.names, update))

    def share(self, windows: list[Window], part: int) -> list[Window]:
        """Return what this process reads of one part of an update's windows."""
        size = self.batch_size // (self.accumulate * self.world)
        first = (part * self.world + self.rank) * size
        return windows[first : first + size]


Part = tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]


class WindowBatches(IterableDataset[Part]):
    """Endless parts of batches: signals, which channels are there, labels, and how many of the whole batch are scored.

    Signals are (window, channel, sample), float32; presence (window, channel), bool; labels (window, label), int64.
    With worker processes each makes every n-th item, so that the order is that of one process.
    """

    def __init__(self, sampler: WindowSampler, reader: SignalReader, window_epochs: int, plan: Plan):
        self._sampler, self._reader = sampler, reader
        self._window_epochs, self._plan = window_epochs, plan

    def __iter__(self) -> Iterator[Part]:
        worker = get_worker_info()
        item, step = (worker.id, worker.num_workers) if worker else (0, 1)
        drawn, windows, n_scored = -1, list[Window](), 0
        while True:
            update, part = divmod(item, self._plan.accumulate)
            if update != drawn:
                windows = self._plan.windows(self._sampler, self._plan.first_update + update)
                n_scored = sum(int((self._labels(w) != UNSCORED).sum()) for w in windows)
                drawn = update
            yield *self._tensors(self._plan.share(windows, part)), n_scored
            item += step

    def _tensors(self, windows: list[Window]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        places = [(w.recording, w.first_epoch, w.channels) for w in windows]
        x = self._reader.windows(places, self._window_epochs)
        labels = np.stack([self._labels(w) for w in windows]).astype(np.int64)
        present = torch.tensor([[channel is not None for channel in w.channels] for w in windows])
        return torch.from_numpy(x), present, torch.from_numpy(labels)

    def _labels(self, window: Window) -> np.ndarray:
        return window_labels(window.recording, window.first_epoch, self._window_epochs)

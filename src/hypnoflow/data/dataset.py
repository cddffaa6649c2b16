"""Batches of windows as tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import IterableDataset

from hypnoflow.data.recordings import SignalReader, window_stages
from hypnoflow.data.sampler import Window, WindowSampler
from hypnoflow.types import EPOCH_SAMPLES


class WindowBatches(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless batches: signals (batch, channel, sample), float32, and stages (batch, epoch), int64."""

    def __init__(self, sampler: WindowSampler, reader: SignalReader, batch_size: int, window_epochs: int):
        self._sampler, self._reader = sampler, reader
        self._batch_size, self._window_epochs = batch_size, window_epochs

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for windows in self._sampler.batches(self._batch_size):
            yield self._tensors(windows)

    def _tensors(self, windows: list[Window]) -> tuple[torch.Tensor, torch.Tensor]:
        n = self._window_epochs
        x = np.empty((len(windows), len(windows[0].channels), n * EPOCH_SAMPLES), np.float32)
        for w, out in zip(windows, x, strict=True):
            self._reader.window(w.recording, w.first_epoch, n, w.channels, out)
        stages = [window_stages(w.recording, w.first_epoch, n) for w in windows]
        return torch.from_numpy(x), torch.from_numpy(np.stack(stages).astype(np.int64))

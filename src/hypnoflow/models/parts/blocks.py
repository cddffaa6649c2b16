"""Building blocks of U-Sleep and of the AnySleep family, named so that published weights fit.

Sources: U-Sleep, Perslev et al. 2021, doi 10.1038/s41746-021-00440-5; AnySleep, arXiv 2512.14461.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.jit._trace import is_tracing
from torch.nn import functional as F

from hypnoflow.models.contract import pool_width
from hypnoflow.models.parts.size import UNetSize

KERNEL = 9
GROWTH = 1.4142


def filter_counts(options: UNetSize) -> list[int]:
    """Return the filters of each encoder block, then of the connector: depth + 1 numbers.

    >>> filter_counts(UNetSize(depth=12, first_filters=5, complexity=1.67))
    [6, 9, 11, 15, 20, 28, 40, 55, 77, 108, 152, 214, 302]
    """
    sizes = [options.first_filters]
    for _ in range(options.depth):
        sizes.append(int(sizes[-1] * GROWTH))
    return [max(1, int(size * options.complexity**0.5)) for size in sizes]


def conv_block(n_in: int, n_out: int) -> nn.Sequential:
    """Return convolution of width 9, ELU, batch norm; length is kept."""
    return nn.Sequential(nn.Conv1d(n_in, n_out, KERNEL, padding="same"), nn.ELU(), nn.BatchNorm1d(n_out))


class Encoder(nn.Module):
    """One level down: returns the skip, of even length, and its half-rate maximum."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.enc = conv_block(n_in, n_out)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        skip = self.enc(x)
        odd = skip.shape[-1] % 2
        if is_tracing() or odd:  # a trace is for other lengths too
            skip = F.pad(skip, (odd, 0))
        return skip, F.max_pool1d(skip, 2)


class UpsampleForEvenKernel(nn.Module):
    """Repeat every sample, and add the zero on the right that keeps the length under a kernel of 2."""

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(F.interpolate(x, scale_factor=2), (0, 1))


class Decoder(nn.Module):
    """One level up: upsample, crop to the skip, join, convolve.

    The crop is centred while odd lengths were padded in front: one sample of misalignment that published weights
    were trained with.
    """

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.dec1 = nn.Sequential(UpsampleForEvenKernel(), nn.Conv1d(n_in, n_out, 2), nn.ELU(), nn.BatchNorm1d(n_out))
        self.dec2 = conv_block(2 * n_out, n_out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.dec1(x)
        excess = x.shape[-1] - skip.shape[-1]
        front = excess // 2 + excess % 2
        return self.dec2(torch.cat([skip, x[..., front : front + skip.shape[-1]]], dim=1))


class ChannelAttention(nn.Module):
    """Weighted sum over channels; the weights come from each channel's mean over time."""

    def __init__(self, n_features: int, hidden: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(n_features, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def score(self, x: Tensor) -> Tensor:
        """Return the unnormalised weight of each row of `x`, shape (row, feature, sample) → (row,)."""
        return self.mlp(x.mean(-1)).squeeze(-1)

    def forward(self, x: Tensor, n_channels: int) -> Tensor:
        """Fuse (batch * channel, feature, sample) into (batch, feature, sample)."""
        weights = self.score(x).view(-1, n_channels).softmax(1)
        folded = x.view(-1, n_channels, *x.shape[1:])  # (batch, channel, feature, sample)
        return torch.einsum("bc,bcft->bft", weights, folded)


class RunningFusion:
    """`ChannelAttention` over channels that come one at a time: the same sum, with the memory of one channel."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._weight = self._top = torch.zeros(0)

    def add(self, x: Tensor, score: Tensor) -> None:
        """Add one channel's features, shape (batch, feature, sample), with its score, shape (batch,)."""
        if self._sum is None:
            self._sum, self._weight, self._top = x, torch.ones_like(score), score
            return
        top = torch.maximum(self._top, score)
        old, new = (self._top - top).exp(), (score - top).exp()
        self._sum = self._sum.mul_(old[:, None, None]).add_(x * new[:, None, None])
        self._weight, self._top = self._weight * old + new, top

    def result(self) -> Tensor:
        """Return the weighted sum of all channels added."""
        if self._sum is None:
            raise ValueError("no channel was added")
        return self._sum.div_(self._weight[:, None, None])


class SegmentClassifier(nn.Module):
    """Per-sample features → logits of each step; only the pooling depends on the resolution."""

    def __init__(self, n_in: int, n: int):
        super().__init__()
        self.segment_classifier = nn.Sequential(
            nn.Conv1d(n_in, n_in, 1),
            nn.Tanh(),
            nn.Identity(),
            nn.Conv1d(n_in, n, 1),
            nn.ELU(),
            nn.Conv1d(n, n, 1),
        )

    def forward(self, x: Tensor, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Return {f: logits (batch, step, stage)}."""
        dense, tanh, _, *head = self.segment_classifier
        x = tanh(dense(x))
        logits = {}
        for f in steps_per_epoch:
            y = F.avg_pool1d(x, pool_width(f))
            for layer in head:
                y = layer(y)
            logits[f] = y.transpose(1, 2)
        return logits


def initialise(module: nn.Module) -> None:
    """Kaiming-normal by fan-out for convolutions and linear layers; zero bias for the linear ones."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)

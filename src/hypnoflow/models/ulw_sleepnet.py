"""ULW-SleepNet: 30-s epochs by themselves, from a fixed list of channels, with some thousand parameters.

Source: arXiv 2602.23852. Every channel goes through one extractor of three double-stream separable blocks; the means of
what it finds are joined and mapped to stages. As published: microvolts at 100 Hz, a dense layer of 64 without a
non-linearity before the last one, and no neighbours; 7,193 trainable parameters with one channel and 13,337 with the
paper's four. Three options leave that:

- ``hidden: null`` joins the two dense layers, which are one linear map: the same functions, 5,401 parameters.
- ``unit: scaled`` reads robustly scaled signals, so that the gain of an amplifier has no part in it.
- ``context: 8`` lets a small recurrent layer look at the epochs before and after; with the two above 6,206 parameters
  (`ulw-context` in docs/networks.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypnoflow.config.section import Section, option
from hypnoflow.models.contract import Classifier, Input, Slot, Trainable
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.types import EPOCH_S, STAGES, Kind

RATE_HZ = 100
SAMPLES = EPOCH_S * RATE_HZ
WIDTHS = (8, 16, 32)
TOGETHER = 16  # epochs scored at once: few enough to stay in the cache


class ULWOptions(Section):
    channels: tuple[Kind, ...] = option(
        ("eeg", "eeg", "eog", "emg"), "Kind of each channel that is read, in order; as published.", min_length=1
    )
    unit: Literal["scaled", "uV"] = option("uV", "Microvolts, as published, or robustly scaled signals.")
    hidden: int | None = option(64, "Units of the dense layer before the last; null joins the two.", "units", ge=1)
    context: int = option(0, "Units, in each direction, of a recurrent layer over epochs; 0 has none.", "units", ge=0)


class SeparableConv(nn.Sequential):
    """A convolution of each channel by itself, then one across channels; Keras' initial weights."""

    def __init__(self, n_in: int, n_out: int, width: int, stride: int = 1):
        each = nn.Conv1d(n_in, n_in, width, stride, padding=width // 2, groups=n_in, bias=False)
        across = nn.Conv1d(n_in, n_out, 1)
        super().__init__(each, across)
        limit = (6 / (width * n_in + width)) ** 0.5  # fans as Keras counts them: those of the kernel (width, in, 1)
        nn.init.uniform_(each.weight, -limit, limit)
        nn.init.xavier_uniform_(across.weight)
        nn.init.zeros_(across.bias if across.bias is not None else torch.empty(0))


class Fused:
    """A block for scoring: every separable convolution as one, with its normalisation; the shortcut as one product."""

    def __init__(self, block: Block):
        self._convs = [_fused(conv, norm) for conv, norm in zip(block.convs, block.norms, strict=True)]
        (first, before), (second, after) = (_fused(conv) for conv in block.shortcut)
        joined = second[:, :, 0] @ first[:, :, 0]
        self._shortcut = joined[:, :, None].contiguous(), second[:, :, 0] @ before + after

    def __call__(self, x: Tensor) -> Tensor:
        y = x
        for weight, bias in self._convs:  # a rectifier after the pool does what one before it does, to half as many
            y = F.max_pool1d(F.conv1d(y, weight, bias, padding=1), 2, ceil_mode=True).relu_()
        return y.add_(F.conv1d(x[..., ::4].contiguous(), *self._shortcut))


def _fused(conv: Any, norm: Any = None) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the one convolution that a separable one is, with the normalisation after it."""
    each, across = conv
    weight, bias = across.weight * each.weight.transpose(0, 1), across.bias
    if norm is not None:
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        weight, bias = weight * scale[:, None, None], (bias - norm.running_mean) * scale + norm.bias
    return weight.contiguous(), bias


class Block(nn.Module):
    """Two separable convolutions, each normalised, rectified and pooled; beside them a shortcut of two strides."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.convs = nn.ModuleList([SeparableConv(n_in, n_out, 3), SeparableConv(n_out, n_out, 3)])
        self.norms = nn.ModuleList(nn.BatchNorm1d(n_out, eps=1e-3, momentum=0.01) for _ in range(2))
        self.shortcut = nn.Sequential(SeparableConv(n_in, n_out, 1, 2), SeparableConv(n_out, n_out, 1, 2))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = F.max_pool1d(norm(conv(y)).relu(), 2, ceil_mode=True)
        return self.dropout(y + self.shortcut(x))


class ULWSleepNet(Classifier):
    """One shared extractor for every channel, and a linear head over all of them."""

    Options = ULWOptions
    source = "arXiv 2602.23852"
    licence = "MIT; no weights are published for it here"
    recipe = {"label_steps": 1, "window_epochs": 1, "batch_size": 32, "learning_rate": 1e-3}
    fine = False
    any_channels = False

    def __init__(self, options: ULWOptions, n_classes: int = len(STAGES), base: Sequence[Trainable] = ()):
        super().__init__(options, n_classes, base)
        widths = (1, *WIDTHS)
        self.extractor = nn.Sequential(*(Block(a, b) for a, b in zip(widths, widths[1:], strict=False)))
        n_features = WIDTHS[-1] * len(options.channels)
        sizes = [n_features, *([options.hidden] if options.hidden else []), n_classes]
        self.head = nn.Sequential(nn.Dropout(0.3), *(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)))
        for layer in self.head:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.context = None
        if options.context:
            self.context = nn.GRU(n_classes, options.context, batch_first=True, bidirectional=True)
            self.correction = nn.Linear(2 * options.context, n_classes)
        self.start_from(base)

    @classmethod
    def reads(cls, options: ULWOptions) -> Input:
        return Input(slots=tuple(map(Slot, options.channels)), rate_hz=RATE_HZ, unit=options.unit)

    def logits(self, x: Tensor, present: Tensor | None, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        if any(f != 1 for f in steps_per_epoch):
            raise ValueError(f"ULW-SleepNet scores 30-s epochs, found {list(steps_per_epoch)} steps per epoch")
        windows, n_epochs = x.shape[0], x.shape[-1] // SAMPLES
        epochs = x[..., : n_epochs * SAMPLES].reshape(windows, x.shape[1], n_epochs, SAMPLES).transpose(1, 2)
        alone = self._alone(epochs.flatten(0, 1), self._blocks()).view(windows, n_epochs, self.n_classes)
        return {1: self._in_context(alone)}

    def night(self, signals: Signals, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        device = next(self.parameters()).device
        found, blocks = [], list(self._blocks())
        for first in range(0, signals.n_samples // SAMPLES, TOGETHER):
            stop = min((first + TOGETHER) * SAMPLES, signals.n_samples // SAMPLES * SAMPLES)
            part = torch.stack([signals.part(c, first * SAMPLES, stop) for c in range(len(signals))])
            found.append(self._alone(part.view(len(signals), -1, SAMPLES).transpose(0, 1).to(device), blocks))
        return {1: self._in_context(torch.cat(found)[None])[0]}

    def bytes_of_night(self, n_channels: int, n_samples: int) -> int:
        return 4 * n_samples

    def _alone(self, epochs: Tensor, blocks: Iterable[Callable[[Tensor], Tensor]]) -> Tensor:
        """Return the logits of epochs by themselves, shape (epoch, channel, sample) → (epoch, class)."""
        n, n_channels = epochs.shape[:2]
        x = epochs.reshape(n * n_channels, 1, SAMPLES)
        for block in blocks:
            x = block(x)
        return self.head(x.mean(-1).view(n, -1))

    def _blocks(self) -> Iterable[Callable[[Tensor], Tensor]]:
        """Return the extractor's blocks; where nothing is learnt, as the fewest operations that do the same."""
        blocks = cast(Iterable[Block], self.extractor)
        return blocks if self.training or torch.is_grad_enabled() else map(Fused, blocks)

    def _in_context(self, alone: Tensor) -> Tensor:
        """Return logits, shape (window, epoch, class), corrected by those around."""
        if self.context is None:
            return alone
        return alone + self.correction(self.context(alone)[0])


MODEL = ULWSleepNet

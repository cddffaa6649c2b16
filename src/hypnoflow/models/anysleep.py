"""AnySleep with mid fusion: shared encoders per channel, attention over channels at every skip, one decoder.

Source: arXiv 2512.14461, sections on architecture; 3,157,856 parameters at published size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from hypnoflow.models.contract import Classifier, Trainable
from hypnoflow.models.parts.blocks import (
    ChannelAttention,
    Decoder,
    Encoder,
    RunningFusion,
    SegmentClassifier,
    conv_block,
    filter_counts,
    initialise,
)
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.models.parts.size import PUBLISHED, UNetSize
from hypnoflow.models.parts.tiles import Workers
from hypnoflow.models.parts.whole_night import WholeNight
from hypnoflow.types import EPOCH_SAMPLES, STAGES

FLOATS_IN_TILES = 8  # held for each sample of a night, whatever the number of channels (measured)


class AnySleep(Classifier):
    """U-Net over any number of channels, fused between encoder and decoder."""

    Options = UNetSize
    source = "arXiv 2512.14461, mid fusion"
    licence = "MIT; the authors' weights MIT"
    published = PUBLISHED

    def __init__(self, options: UNetSize, n_classes: int = len(STAGES), base: Sequence[Trainable] = ()):
        super().__init__(options, n_classes, base)
        *widths, bottom = filter_counts(options)
        self.encoders = nn.ModuleList(Encoder(n_in, n_out) for n_in, n_out in zip([1, *widths], widths, strict=False))
        self.connector = conv_block(widths[-1], bottom)
        upward = [bottom, *reversed(widths)]
        self.decoders = nn.ModuleList(Decoder(n_in, n_out) for n_in, n_out in zip(upward, upward[1:], strict=False))
        self.skip_connections = nn.ModuleList(
            ChannelAttention(width, options.attention_hidden) for width in (*widths, bottom)
        )
        self.segment_classifier = SegmentClassifier(widths[0], n_classes)
        initialise(self)
        self.start_from(base)

    def logits(self, x: Tensor, present: Tensor | None, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        if self._can_tile(x):
            return self._in_tiles(x, steps_per_epoch)
        *skips, x = self._fused_batch(x) if self.training else self._fused_one_by_one(x)
        for decoder in self.decoders:
            x = decoder(x, skips.pop())
        return self.segment_classifier(x, steps_per_epoch)

    def _can_tile(self, x: Tensor) -> bool:
        """Whether the fast path applies: whole epochs on a CPU, and nothing to be learnt."""
        return not (self.training or torch.is_grad_enabled() or x.is_cuda or x.shape[-1] % EPOCH_SAMPLES)

    def _in_tiles(self, x: Tensor, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Score night by night as `hypnoflow.models.parts.whole_night` does."""
        with Workers(torch.get_num_threads()) as workers:
            nights = [WholeNight(self, Signals(signals), workers).score(steps_per_epoch) for signals in x]
        return {f: torch.stack([out[f] for out in nights]) for f in steps_per_epoch}

    def night(self, signals: Signals, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        on_gpu = next(self.parameters()).is_cuda
        if on_gpu or self.training or torch.is_grad_enabled() or signals.n_samples % EPOCH_SAMPLES:
            return super().night(signals, steps_per_epoch)
        with Workers(torch.get_num_threads()) as workers:
            return WholeNight(self, signals, workers).score(steps_per_epoch)

    def bytes_of_night(self, n_channels: int, n_samples: int) -> int:
        return FLOATS_IN_TILES * 4 * n_samples

    def subsets(
        self, x: Tensor, subsets: Sequence[Sequence[int]], steps_per_epoch: Sequence[int]
    ) -> Iterator[dict[int, Tensor]]:
        """Score from each of several sets of the channels, in order; every channel is encoded once.

        What is held until the end are the features of every channel below the first levels: at published size four
        numbers per sample, 60 MB for each channel of an 8-h night.
        """
        if not all(len(subset) for subset in subsets):
            raise ValueError("a subset of channels is empty; it needs at least one")
        with Workers(torch.get_num_threads()) as workers:
            each = [night.subsets(subsets, steps_per_epoch) for night in self._nights(x, workers)]
            for outs in zip(*each, strict=True):
                yield {f: torch.stack([out[f] for out in outs]) for f in steps_per_epoch}

    def attention_weights(self, x: Tensor) -> Tensor:
        """Return each level's weights of the channels of `x`, shape (batch, level, channel), which sum to 1.

        The levels are the skips from the finest to the coarsest, then the connector.
        """
        with Workers(torch.get_num_threads()) as workers:
            return torch.stack([night.attention() for night in self._nights(x, workers)])

    def _nights(self, x: Tensor, workers: Workers) -> list[WholeNight]:
        if self.training or x.shape[-1] % EPOCH_SAMPLES:
            raise ValueError("channels are scored one by one in whole epochs, in evaluation mode; call eval() first")
        return [WholeNight(self, Signals(signals), workers) for signals in x]

    def _features(self, x: Tensor) -> list[Tensor]:
        """Return every level's features of single channels, shape (row, 1, sample) → (row, feature, sample)."""
        levels = []
        for encoder in self.encoders:
            skip, x = encoder(x)
            levels.append(skip)
        return [*levels, self.connector(x)]

    def _fused_batch(self, x: Tensor) -> list[Tensor]:
        """Fuse all channels at once, as batch norm needs in training."""
        batch, n_channels, n = x.shape
        levels = self._features(x.reshape(batch * n_channels, 1, n))
        return [fuse(level, n_channels) for fuse, level in zip(self.skip_connections, levels, strict=True)]

    def _fused_one_by_one(self, x: Tensor) -> list[Tensor]:
        """Fuse channel after channel, so that memory does not grow with their number."""
        fusions = [RunningFusion() for _ in self.skip_connections]
        for c in range(x.shape[1]):
            levels = self._features(x[:, c : c + 1])
            for fusion, attention, level in zip(fusions, self.skip_connections, levels, strict=True):
                fusion.add(level, cast(ChannelAttention, attention).score(level))
            del levels
        return [fusion.result() for fusion in fusions]


MODEL = AnySleep

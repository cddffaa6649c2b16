"""AnySleep with mid fusion: shared encoders per channel, attention over channels at every skip, one decoder.

Source: arXiv 2512.14461, sections on architecture; 3,157,856 parameters at published size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from hypnoflow.config import Network
from hypnoflow.models._base import StagingModel
from hypnoflow.models._blocks import (
    ChannelAttention,
    Decoder,
    Encoder,
    RunningFusion,
    SegmentClassifier,
    conv_block,
    filter_counts,
    initialise,
)


class AnySleep(StagingModel):
    """U-Net over any number of channels, fused between encoder and decoder."""

    def __init__(self, network: Network):
        super().__init__(network)
        *widths, bottom = filter_counts(network)
        self.encoders = nn.ModuleList(Encoder(n_in, n_out) for n_in, n_out in zip([1, *widths], widths, strict=False))
        self.connector = conv_block(widths[-1], bottom)
        upward = [bottom, *reversed(widths)]
        self.decoders = nn.ModuleList(Decoder(n_in, n_out) for n_in, n_out in zip(upward, upward[1:], strict=False))
        self.skip_connections = nn.ModuleList(
            ChannelAttention(width, network.attention_hidden) for width in (*widths, bottom)
        )
        self.segment_classifier = SegmentClassifier(widths[0])
        initialise(self)

    def multi(self, x: Tensor, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        *skips, x = self._fused_batch(x) if self.training else self._fused_one_by_one(x)
        for decoder in self.decoders:
            x = decoder(x, skips.pop())
        return self.segment_classifier(x, steps_per_epoch)

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

    # Subsets of the channels: the encoder runs once per channel, the decoder once per subset.

    def subsets(
        self, x: Tensor, subsets: Sequence[Sequence[int]], steps_per_epoch: Sequence[int]
    ) -> Iterator[dict[int, Tensor]]:
        """Score from each of several sets of the channels of `x`, in order; in evaluation mode only.

        Every channel's features of every level are held until the last subset is done: at published size 19 numbers
        per channel and sample, 280 MB in float32 for each channel of an 8-h night.
        """
        held, scores = self._held(x)
        for subset in subsets:
            *skips, y = self._fused_subset(held, scores, subset)
            for decoder in self.decoders:
                y = decoder(y, skips.pop())
            yield self.segment_classifier(y, steps_per_epoch)

    def attention_weights(self, x: Tensor) -> Tensor:
        """Return each level's weights of the channels of `x`, shape (batch, level, channel), which sum to 1.

        The levels are the skips from the finest to the coarsest, then the connector.
        """
        return self._held(x, keep=False)[1].softmax(-1)

    def _held(self, x: Tensor, *, keep: bool = True) -> tuple[list[list[Tensor]], Tensor]:
        """Return the features of each channel and level, and their scores, shape (batch, level, channel)."""
        if self.training:
            raise ValueError("channels are scored one by one only in evaluation mode; call eval() first")
        held, scores = [], []
        for c in range(x.shape[1]):
            levels = self._features(x[:, c : c + 1])
            pairs = zip(self.skip_connections, levels, strict=True)
            scores.append(torch.stack([cast(ChannelAttention, each).score(level) for each, level in pairs], dim=1))
            held.append(levels if keep else [])
            del levels
        return held, torch.stack(scores, dim=2)

    @staticmethod
    def _fused_subset(held: list[list[Tensor]], scores: Tensor, subset: Sequence[int]) -> list[Tensor]:
        """Return the weighted sum over the channels of `subset` at each level, shape (batch, feature, sample)."""
        if not len(subset):
            raise ValueError("a subset of channels is empty; it needs at least one")
        weights = scores[:, :, list(subset)].softmax(-1)[..., None, None]  # (batch, level, channel, 1, 1)
        fused = []
        for level in range(scores.shape[1]):
            total = held[subset[0]][level] * weights[:, level, 0]
            for i, channel in enumerate(subset[1:], 1):
                total.addcmul_(held[channel][level], weights[:, level, i])
            fused.append(total)
        return fused


MODEL = AnySleep

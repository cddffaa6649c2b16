"""AnySleep with late fusion: each channel passes the whole U-Net; features are weighted before the classifier.

Source: arXiv 2512.14461, section on architecture; 3,137,356 parameters at published size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hypnoflow.models.contract import Trainable
from hypnoflow.models.parts.blocks import RunningFusion, filter_counts, initialise
from hypnoflow.models.parts.size import PUBLISHED, UNetSize
from hypnoflow.models.parts.unet import ConvAttention, UNet
from hypnoflow.types import STAGES


class AnySleepLate(UNet):
    """U-Net over single channels, fused behind the last decoder."""

    Options = UNetSize
    source = "arXiv 2512.14461, late fusion"
    licence = "MIT; the authors' weights MIT"
    published = PUBLISHED

    def __init__(self, options: UNetSize, n_classes: int = len(STAGES), base: Sequence[Trainable] = ()):
        super().__init__(options, n_classes, base, n_in=1)
        self.channel_attention = ConvAttention(filter_counts(options)[0], options.attention_hidden, 1)
        initialise(self)
        self.start_from(base)

    def logits(self, x: Tensor, present: Tensor | None, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        fused = self._fused_batch(x) if self.training else self._fused_one_by_one(x)
        return self.segment_classifier(fused, steps_per_epoch)

    def _fused_batch(self, x: Tensor) -> Tensor:
        """Fuse all channels at once, as batch norm needs in training."""
        batch, n_channels, n = x.shape
        features = self.features(x.reshape(batch * n_channels, 1, n))
        (scores,) = self.channel_attention.score(features)
        weights = scores.view(batch, n_channels).softmax(1)
        return torch.einsum("bc,bcft->bft", weights, features.view(batch, n_channels, *features.shape[1:]))

    def _fused_one_by_one(self, x: Tensor) -> Tensor:
        """Fuse channel after channel, so that memory does not grow with their number."""
        fusion = RunningFusion()
        for c in range(x.shape[1]):
            features = self.features(x[:, c : c + 1])
            (scores,) = self.channel_attention.score(features)
            fusion.add(features, scores)
        return fusion.result()


MODEL = AnySleepLate

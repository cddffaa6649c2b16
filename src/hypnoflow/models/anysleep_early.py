"""AnySleep with early fusion: the raw channels are weighted into four virtual ones, which enter one U-Net.

Source: arXiv 2512.14461, section on architecture; 3,131,601 parameters at published size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hypnoflow.models.contract import Trainable
from hypnoflow.models.parts.blocks import initialise
from hypnoflow.models.parts.size import PUBLISHED, UNetSize
from hypnoflow.models.parts.unet import ConvAttention, UNet
from hypnoflow.types import STAGES

VIRTUAL_CHANNELS = 4


class AnySleepEarly(UNet):
    """U-Net over weighted sums of any number of channels."""

    Options = UNetSize
    source = "arXiv 2512.14461, early fusion"
    licence = "MIT; the authors' weights MIT"
    published = PUBLISHED

    def __init__(self, options: UNetSize, n_classes: int = len(STAGES), base: Sequence[Trainable] = ()):
        super().__init__(options, n_classes, base, n_in=VIRTUAL_CHANNELS)
        self.channel_attention = ConvAttention(1, options.attention_hidden, VIRTUAL_CHANNELS)
        initialise(self)
        self.start_from(base)

    def logits(self, x: Tensor, present: Tensor | None, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        weights = (self._scores(x) if self.training else self._scores_one_by_one(x)).softmax(1)
        virtual = torch.einsum("bcv,bct->bvt", weights, x)
        return self.segment_classifier(self.features(virtual), steps_per_epoch)

    def _scores(self, x: Tensor) -> Tensor:
        """Return the unnormalised weights, shape (batch, channel, virtual channel), of all channels at once."""
        batch, n_channels, n = x.shape
        scores = self.channel_attention.score(x.reshape(batch * n_channels, 1, n))
        return torch.stack(scores, -1).view(batch, n_channels, -1)

    def _scores_one_by_one(self, x: Tensor) -> Tensor:
        """Return the same with the memory of one channel; batch norm in training needs all at once."""
        return torch.cat([self._scores(x[:, c : c + 1]) for c in range(x.shape[1])], 1)


MODEL = AnySleepEarly

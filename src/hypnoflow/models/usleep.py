"""U-Sleep: one EEG and one EOG channel, in this order.

Sources: Perslev et al. 2021, doi 10.1038/s41746-021-00440-5; retrained with AnySleep's data, arXiv 2512.14461, at
3,114,337 parameters. Windows are learnt from with one pair of their channels, a
recording is scored from every pair, see `hypnoflow.data.views`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hypnoflow.config.train import Network
from hypnoflow.models.parts.blocks import initialise
from hypnoflow.models.parts.unet import UNet

CHANNELS = 2


class USleep(UNet):
    """U-Net over an EEG channel and an EOG channel; the network's `attention_hidden` has no meaning here."""

    channel_agnostic = False

    def __init__(self, network: Network):
        super().__init__(network, CHANNELS)
        initialise(self)

    def multi(self, x: Tensor, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        if x.shape[1] != CHANNELS:
            raise ValueError(f"U-Sleep takes one EEG and one EOG channel, found {x.shape[1]} channels")
        return self.segment_classifier(self.features(x), steps_per_epoch)


MODEL = USleep

"""U-Sleep: one EEG and one EOG channel, in this order.

Sources: Perslev et al. 2021, doi 10.1038/s41746-021-00440-5; retrained with AnySleep's data, arXiv 2512.14461, at
3,114,337 parameters. Windows are learnt from with one pair of their channels, a
recording is scored from every pair, see `hypnoflow.data.votes`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hypnoflow.models.contract import Input, Slot, Trainable
from hypnoflow.models.parts.blocks import initialise
from hypnoflow.models.parts.size import PUBLISHED, UNetSize
from hypnoflow.models.parts.unet import UNet
from hypnoflow.types import STAGES


class USleep(UNet):
    """U-Net over an EEG channel and an EOG channel; the option `attention_hidden` has no meaning here."""

    Options = UNetSize
    source = "doi 10.1038/s41746-021-00440-5; retrained in arXiv 2512.14461"
    licence = "MIT; weights of the retrained network MIT"
    published = PUBLISHED

    any_channels = False
    input = Input(slots=(Slot("eeg"), Slot("eog")), every=True)

    def __init__(self, options: UNetSize, n_classes: int = len(STAGES), base: Sequence[Trainable] = ()):
        super().__init__(options, n_classes, base, n_in=len(self.input.slots))
        initialise(self)
        self.start_from(base)

    def logits(self, x: Tensor, present: Tensor | None, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        if x.shape[1] != len(self.input.slots):
            raise ValueError(f"U-Sleep takes one EEG and one EOG channel, found {x.shape[1]} channels")
        return self.segment_classifier(self.features(x), steps_per_epoch)


MODEL = USleep

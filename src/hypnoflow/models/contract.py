"""The contract that every network keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from hypnoflow.config.train import Network
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.types import EPOCH_SAMPLES

# Else oneDNN, which computes convolutions, may take kernels whose threads add in the order in which they come.
torch.backends.mkldnn.set_flags(_deterministic=True)

FLOATS_HELD = 110  # for each sample of a night, by a U-Net of published size that sees it at once (80 to 113 measured)


class StagingModel(nn.Module, ABC):
    """A network that stages sleep from any number of channels at any resolution.

    Parameters
    ----------
    network : Network
        Size.

    Attributes
    ----------
    channel_agnostic : bool
        Whether any number of channels, in any order, may be given.
    """

    channel_agnostic: bool = True

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    @abstractmethod
    def multi(self, x: Tensor, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Score once and read out at several resolutions.

        Parameters
        ----------
        x : Tensor, shape (batch, channel, sample), scaled units at 128 Hz
        steps_per_epoch : sequence of int
            Predictions per 30 s; each must divide 3840.

        Returns
        -------
        dict of int to Tensor, shape (batch, step, stage)
            Logits. A last step that is not whole is left out.
        """

    def forward(self, x: Tensor, steps_per_epoch: int = 1) -> Tensor:
        """Return logits, shape (batch, step, stage), at one resolution; see `multi`."""
        return self.multi(x, [steps_per_epoch])[steps_per_epoch]

    def night(self, signals: Signals, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Score one whole night, see `multi`; a network that can do without all of it in memory overrides this.

        Returns
        -------
        dict of int to Tensor, shape (step, stage)
        """
        x = signals.tensor().to(next(self.parameters()).device)
        return {f: logits[0] for f, logits in self.multi(x[None], steps_per_epoch).items()}

    def bytes_of_night(self, n_channels: int, n_samples: int) -> int:
        """Return about how much memory `night` takes, bytes, for a forecast."""
        return 4 * n_samples * (n_channels + FLOATS_HELD)

    def subsets(
        self, x: Tensor, subsets: Sequence[Sequence[int]], steps_per_epoch: Sequence[int]
    ) -> Iterator[dict[int, Tensor]]:
        """Score from each of several sets of the channels of `x`, in order; see `multi`.

        Parameters
        ----------
        x : Tensor, shape (batch, channel, sample), scaled units at 128 Hz
        subsets : sequence of sequences of int
            Channels of `x`, at least one in each.
        """
        for subset in subsets:
            yield self.multi(x[:, list(subset)], steps_per_epoch)


def pool_width(steps_per_epoch: int) -> int:
    """Return how many samples one prediction covers.

    Raises
    ------
    ValueError
        If `steps_per_epoch` does not divide the 3840 samples of an epoch.
    """
    if steps_per_epoch < 1 or EPOCH_SAMPLES % steps_per_epoch:
        raise ValueError(f"steps_per_epoch must divide {EPOCH_SAMPLES}, found {steps_per_epoch}")
    return EPOCH_SAMPLES // steps_per_epoch

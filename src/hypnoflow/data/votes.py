"""What several views of one recording say together: a network with slots sees every way to fill them, and they vote.

Source: U-Sleep, Perslev et al. 2021, doi 10.1038/s41746-021-00440-5, as evaluated in arXiv 2512.14461: majority over
all pairs. There ties are broken at random; here the tied stage with the higher mean probability wins, and of stages
equal in that, too, the one that comes first in `hypnoflow.types.STAGES`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


class Mean:
    """Stages by the mean of several probabilities."""

    def __init__(self) -> None:
        self._n = 0
        self._total = torch.zeros(0)

    def add(self, probability: Tensor) -> None:
        """Add the probabilities of one voter, shape (step, stage)."""
        self._total = probability if self._n == 0 else self._total + probability
        self._n += 1

    @property
    def probability(self) -> Tensor:
        """Return the voters' mean probability, shape (step, stage)."""
        return self._total / self._n

    @property
    def stage(self) -> Tensor:
        """Return the stage of each step, shape (step,)."""
        return self._total.argmax(-1)


class Votes(Mean):
    """Stages by majority: each voter has a vote in each step, for its stage of highest probability."""

    def __init__(self) -> None:
        super().__init__()
        self._votes = torch.zeros(0)

    def add(self, probability: Tensor) -> None:
        ballot = one_hot(probability.argmax(-1), probability.shape[-1]).to(torch.int16)
        self._votes = ballot if self._n == 0 else self._votes + ballot
        super().add(probability)

    @property
    def stage(self) -> Tensor:
        tied = self._votes == self._votes.amax(-1, keepdim=True)
        return torch.where(tied, self._total, -1).argmax(-1)

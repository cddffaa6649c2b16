"""What a network that takes one EEG and one EOG channel makes of a recording: it sees every pair, and the pairs vote.

Source: U-Sleep, Perslev et al. 2021, doi 10.1038/s41746-021-00440-5, as evaluated in arXiv 2512.14461: majority over
all pairs. There ties are broken at random; here the tied stage with the higher mean probability wins, and of stages
equal in that, too, the one that comes first in `hypnoflow.types.STAGES`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hypnoflow.errors import RecordingError
from hypnoflow.models.contract import StagingModel
from hypnoflow.types import Kind


def views(model: StagingModel | type[StagingModel], kinds: Sequence[Kind]) -> list[list[int]]:
    """Return the sets of channels that a network sees one after the other: all together, or each pair.

    Parameters
    ----------
    kinds : sequence of str, shape (channel,)

    Raises
    ------
    RecordingError
        If the network takes pairs, and there is none.
    """
    return [list(range(len(kinds)))] if model.channel_agnostic else [list(pair) for pair in eeg_eog_pairs(kinds)]


def eeg_eog_pairs(kinds: Sequence[Kind]) -> list[tuple[int, int]]:
    """Return every (EEG, EOG) pair as positions in `kinds`, EEG first.

    Raises
    ------
    RecordingError
        If there is no EEG, or no EOG.

    Examples
    --------
    >>> eeg_eog_pairs(["eeg", "eeg", "eog"])
    [(0, 2), (1, 2)]
    """
    eeg, eog = ([i for i, kind in enumerate(kinds) if kind == wanted] for wanted in ("eeg", "eog"))
    if not eeg or not eog:
        raise RecordingError(
            f"the network takes pairs of an EEG and an EOG channel; found {len(eeg)} EEG and {len(eog)} EOG",
            hint="score with one of the AnySleep networks, which take any channels",
        )
    return [(i, j) for i in eeg for j in eog]


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

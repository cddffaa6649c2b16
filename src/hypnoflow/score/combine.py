"""From the logits of one or more networks to scores: temperatures, averaging, and how sure the result is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hypnoflow.data.votes import Mean, Votes
from hypnoflow.night.gaps import in_gaps
from hypnoflow.score.uncertainty import disagreement_bit, entropy_bit, margin
from hypnoflow.store.scores import EpochProbability
from hypnoflow.types import RESOLUTIONS, STAGES, UNSCORED, StageArray


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of one recording.

    stage : dict of int to ndarray of uint8, shape (step,)
        Stages at each number of predictions per 30 s; `UNSCORED` where nothing was recorded.
    probability : ndarray, shape (step, stage), float32
        Hypnodensity at `steps_per_epoch`; rows sum to 1, and are NaN where nothing was recorded.
    densities : dict of int to ndarray, shape (step, stage), float32
        The same at further numbers of predictions per 30 s, where they were asked for.
    at_30_s : EpochProbability, optional
        Probabilities of each 30-s epoch before and after calibration.
    disagreement_bit : ndarray, shape (step,), float32, bit, optional
        Disagreement of several networks on each row of `probability`; None of one network.
    """

    stage: dict[int, StageArray]
    probability: NDArray[np.float32]
    steps_per_epoch: int
    densities: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    at_30_s: EpochProbability | None = None
    disagreement_bit: NDArray[np.float32] | None = None

    @classmethod
    def nothing(
        cls, n_epochs: int, steps_per_epoch: int, resolutions: Sequence[int] = RESOLUTIONS, n_classes: int = len(STAGES)
    ) -> Scores:
        """Return the scores of a recording that could not be scored."""

        def unknown(f: int) -> NDArray[np.float32]:
            return np.full((n_epochs * f, n_classes), np.nan, np.float32)

        stage = {f: np.full(n_epochs * f, UNSCORED, np.uint8) for f in resolutions}
        return cls(stage, unknown(steps_per_epoch), steps_per_epoch, at_30_s=EpochProbability(unknown(1), unknown(1)))

    def without_gaps(self, gaps_s: Sequence[tuple[float, float]], n_epochs: int) -> Scores:
        """Return the same with what was not recorded unscored: at each resolution, steps that lie by half in a gap.

        Fine steps know gaps that an epoch does not; see `hypnoflow.night.gaps.in_gaps`.
        """
        if not len(gaps_s):
            return self
        lost = {f: in_gaps(gaps_s, n_epochs, f) for f in {1, self.steps_per_epoch, *self.stage, *self.densities}}
        steps, at_30_s = lost[self.steps_per_epoch], self.at_30_s
        if at_30_s is not None:
            calibrated, raw = (_blank(p, lost[1]) for p in (at_30_s.calibrated, at_30_s.uncalibrated))
            at_30_s = replace(at_30_s, calibrated=calibrated, uncalibrated=raw)
        return Scores(
            stage={f: np.where(lost[f], np.uint8(UNSCORED), codes) for f, codes in self.stage.items()},
            probability=_blank(self.probability, steps),
            steps_per_epoch=self.steps_per_epoch,
            densities={f: _blank(p, lost[f]) for f, p in self.densities.items()},
            at_30_s=at_30_s,
            disagreement_bit=None if self.disagreement_bit is None else _blank(self.disagreement_bit, steps),
        )

    @property
    def entropy_bit(self) -> NDArray[np.float32]:
        """Return the entropy of each row of `probability`, shape (step,), bit."""
        return entropy_bit(self.probability)

    @property
    def margin(self) -> NDArray[np.float32]:
        """Return the lead of the likeliest stage over the next in each row of `probability`, shape (step,)."""
        return margin(self.probability)

    @property
    def measures(self) -> dict[str, NDArray[np.float32]]:
        """Return all that is said of each row of `probability`, by name."""
        found = {"entropy_bit": self.entropy_bit, "margin": self.margin}
        return found if self.disagreement_bit is None else {**found, "disagreement_bit": self.disagreement_bit}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read out of the networks.

    resolutions : sequence of int
        Predictions per 30 s at which stages are wanted.
    hypnodensity_steps : int
        Rows of the hypnodensity per epoch.
    densities : sequence of int
        Predictions per 30 s at which probabilities are wanted, too.
    abstain_below : float
        Confidence below which an epoch is marked.
    """

    resolutions: Sequence[int]
    hypnodensity_steps: int
    densities: Sequence[int] = ()
    abstain_below: float = 0.0

    @property
    def read_out(self) -> list[int]:
        """Return all predictions per 30 s at which logits are needed; 1 is for the calibration."""
        return sorted({*self.resolutions, self.hypnodensity_steps, *self.densities, 1})


def combine(
    members: Iterable[Mapping[int, Tensor]], temperatures: Sequence[float], wanted: Wanted, *, vote: bool = False
) -> Scores:
    """Return the scores that networks agree on.

    Each network's logits are divided by its own temperature (Guo et al. 2017, arXiv 1706.04599, section 4.2), and
    the probabilities are averaged. The stages of a single network are those of its logits, which no temperature
    changes. Temperatures belong to 30-s epochs and are used at all resolutions.

    Parameters
    ----------
    members : iterable of mappings from int to Tensor, shape (step, stage)
        Logits of each network at `wanted.read_out`; read one network at a time.
    temperatures : sequence of float
        One per network.
    vote : bool
        Whether the stage is that of most networks, see `hypnoflow.data.votes`, instead of the mean's.
    """
    n, steps = len(temperatures), wanted.hypnodensity_steps
    decided = {f: Votes() if vote and n > 1 else Mean() for f in wanted.resolutions}
    mean = {f: Mean() for f in {1, steps, *wanted.densities}}
    raw, fine = Mean(), []
    for logits, temperature in zip(members, temperatures, strict=True):
        for f in wanted.resolutions:
            decided[f].add(logits[f] if n == 1 else _softmax(logits[f], temperature))
        for f, sums in mean.items():
            sums.add(_softmax(logits[f], temperature))
        raw.add(_softmax(logits[1]))
        if n > 1:
            fine.append(_softmax(logits[steps], temperature).cpu().numpy())
    density = {f: sums.probability.cpu().numpy() for f, sums in mean.items()}
    return Scores(
        stage={f: sums.stage.to(torch.uint8).cpu().numpy() for f, sums in decided.items()},
        probability=density[steps],
        steps_per_epoch=steps,
        densities={f: density[f] for f in wanted.densities},
        at_30_s=EpochProbability(density[1], raw.probability.cpu().numpy(), wanted.abstain_below),
        disagreement_bit=disagreement_bit(fine) if n > 1 else None,
    )


def _softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    return (logits / temperature).softmax(-1)


def _blank(values: NDArray[np.float32], rows: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return `values` with NaN in some rows."""
    return np.where(rows.reshape(-1, *[1] * (values.ndim - 1)), np.float32(np.nan), values)

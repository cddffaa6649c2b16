"""One night through the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hypnoflow.errors import CheckpointError
from hypnoflow.models._base import StagingModel
from hypnoflow.models._checkpoint import Checkpoint
from hypnoflow.models._published import load_any
from hypnoflow.models._release import local_file
from hypnoflow.score.pairs import Mean, Votes, eeg_eog_pairs
from hypnoflow.types import RESOLUTIONS, STAGES, UNSCORED, FloatArray, Kind, StageArray


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of one recording.

    stage : dict of int to ndarray of uint8, shape (step,)
        Stages at each number of predictions per 30 s; `UNSCORED` where nothing was recorded.
    probability : ndarray, shape (step, stage), float32
        Hypnodensity at `steps_per_epoch`; rows sum to 1, and are NaN where nothing was recorded.
    """

    stage: dict[int, StageArray]
    probability: NDArray[np.float32]
    steps_per_epoch: int

    @classmethod
    def nothing(cls, n_epochs: int, steps_per_epoch: int, resolutions: Sequence[int] = RESOLUTIONS) -> Scores:
        """Return the scores of a recording that could not be scored."""
        stage = {f: np.full(n_epochs * f, UNSCORED, np.uint8) for f in resolutions}
        probability = np.full((n_epochs * steps_per_epoch, len(STAGES)), np.nan, np.float32)
        return cls(stage, probability, steps_per_epoch)

    def without(self, lost: NDArray[np.bool_]) -> Scores:
        """Return the same with the epochs `lost`, shape (epoch,), unscored at every resolution."""
        stage = {f: np.where(np.repeat(lost, f), np.uint8(UNSCORED), codes) for f, codes in self.stage.items()}
        steps = np.repeat(lost, self.steps_per_epoch)
        probability = np.where(steps[:, None], np.float32(np.nan), self.probability)
        return Scores(stage, probability, self.steps_per_epoch)

    @property
    def entropy_bit(self) -> NDArray[np.float32]:
        """Return the entropy of each row of `probability`, shape (step,), bit."""
        p = np.clip(self.probability, 1e-12, 1)
        return -(p * np.log2(p)).sum(1).astype(np.float32)


class Scorer:
    """One or more checkpoints of one network; several are averaged as probabilities.

    A network that takes pairs of channels scores every pair, and the pairs of all checkpoints vote, see
    `hypnoflow.score.pairs`; its probabilities are averaged as any other's.

    Parameters
    ----------
    checkpoints : sequence of Path or str
        Files of this package; files that AnySleep's authors published, or their names, such as anysleep-run1. The
        signals of a published file count as harmonized as by this version, with ``clip_iqr`` 20.

    Attributes
    ----------
    paths : list of Path
        Where each checkpoint lies; that of a name is in the cache folder.
    channel_agnostic : bool
        Whether any channels will do; otherwise `score` must be told their kinds.

    Raises
    ------
    CheckpointError
        If a file is not a usable checkpoint, if they were trained on differently harmonized signals, or if some take
        any channels and others pairs.
    ConfigError
        For an unknown name.
    """

    def __init__(self, checkpoints: Sequence[Path | str], device: str = "cpu"):
        self.paths = [local_file(checkpoint) for checkpoint in checkpoints]
        loaded: list[Checkpoint] = [load_any(path) for path in self.paths]
        self.preprocessing = loaded[0].facts["preprocessing"]
        self.channel_agnostic = loaded[0].model.channel_agnostic
        for path, other in zip(self.paths, loaded, strict=True):
            self._check(path, other.facts["preprocessing"], self.preprocessing)
            if other.model.channel_agnostic != self.channel_agnostic:
                raise CheckpointError(
                    f"{path} is {other.facts['model']}, and {self.paths[0]} is {loaded[0].facts['model']}: one takes "
                    "any channels and the other pairs of them; score with each apart"
                )
        self._device = torch.device(pick_device(device))
        self._models: list[StagingModel] = [c.model.to(self._device) for c in loaded]
        self.facts = [c.facts for c in loaded]

    def check_preprocessing(self, found: dict[str, object], what: str) -> None:
        """Raise CheckpointError unless signals harmonized as `found` are what the network was trained on."""
        self._check(Path(what), found, self.preprocessing)

    @staticmethod
    def _check(what: Path, found: dict[str, object], wanted: dict[str, object]) -> None:
        if found != wanted:
            raise CheckpointError(f"{what}: harmonized as {found}, but the network was trained on {wanted}")

    def score(
        self,
        x: FloatArray,
        hypnodensity_steps: int,
        resolutions: Sequence[int] = RESOLUTIONS,
        kinds: Sequence[Kind] | None = None,
    ) -> Scores:
        """Score one recording.

        Parameters
        ----------
        x : ndarray, shape (channel, sample), scaled units at 128 Hz, whole epochs
        hypnodensity_steps : int
            Rows of the hypnodensity per epoch.
        resolutions : sequence of int
            Predictions per 30 s to read out.
        kinds : sequence of str, optional
            Kind of each channel; needed unless the network is channel-agnostic.

        Raises
        ------
        RecordingError
            If the network takes pairs of an EEG and an EOG channel, and there is none.
        """
        wanted = sorted({*resolutions, hypnodensity_steps})
        found = {f: Mean() if self.channel_agnostic else Votes() for f in wanted}
        for probability in self._voters(torch.from_numpy(np.ascontiguousarray(x, np.float32)), wanted, kinds):
            for f in wanted:
                found[f].add(probability[f])
        stage = {f: found[f].stage.to(torch.uint8).cpu().numpy() for f in resolutions}
        return Scores(stage, found[hypnodensity_steps].probability.cpu().numpy(), hypnodensity_steps)

    @torch.inference_mode()
    def _voters(
        self, signals: Tensor, wanted: Sequence[int], kinds: Sequence[Kind] | None
    ) -> Iterator[dict[int, Tensor]]:
        """Yield what each checkpoint makes of all channels, or of each pair: predictions per epoch → (step, stage).

        `signals` has the shape (channel, sample).
        """
        for rows in [slice(None)] if self.channel_agnostic else self._pairs(len(signals), kinds):
            x = signals[rows][None].to(self._device)
            for model in self._models:
                yield {f: logits[0].softmax(-1) for f, logits in model.multi(x, wanted).items()}

    @staticmethod
    def _pairs(n_channels: int, kinds: Sequence[Kind] | None) -> list[list[int]]:
        if kinds is None or len(kinds) != n_channels:
            raise ValueError(f"the network takes an EEG and an EOG channel: kinds of {n_channels} channels are needed")
        return [[eeg, eog] for eeg, eog in eeg_eog_pairs(kinds)]


def pick_device(device: str) -> str:
    """Return the torch device for the config's auto, cpu or cuda."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device

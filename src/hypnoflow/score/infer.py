"""One night through the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hypnoflow.errors import CheckpointError
from hypnoflow.models._base import StagingModel
from hypnoflow.models._checkpoint import Checkpoint, load_checkpoint
from hypnoflow.types import RESOLUTIONS, UNSCORED, FloatArray, StageArray


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of one recording.

    stage : dict of int to ndarray of uint8, shape (step,)
        Stages at each number of predictions per 30 s; `UNSCORED` where nothing was recorded.
    probability : ndarray, shape (step, stage), float32
        Hypnodensity at `steps_per_epoch`; rows sum to 1, and are NaN where nothing was recorded.
    densities : dict of int to ndarray, shape (step, stage), float32
        The same at further numbers of predictions per 30 s, where they were asked for.
    """

    stage: dict[int, StageArray]
    probability: NDArray[np.float32]
    steps_per_epoch: int
    densities: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def without(self, lost: NDArray[np.bool_]) -> Scores:
        """Return the same with the epochs `lost`, shape (epoch,), unscored at every resolution."""
        stage = {f: np.where(np.repeat(lost, f), np.uint8(UNSCORED), codes) for f, codes in self.stage.items()}

        def unknown(probability: NDArray[np.float32], f: int) -> NDArray[np.float32]:
            return np.where(np.repeat(lost, f)[:, None], np.float32(np.nan), probability)

        densities = {f: unknown(p, f) for f, p in self.densities.items()}
        return Scores(stage, unknown(self.probability, self.steps_per_epoch), self.steps_per_epoch, densities)

    @property
    def entropy_bit(self) -> NDArray[np.float32]:
        """Return the entropy of each row of `probability`, shape (step,), bit."""
        p = np.clip(self.probability, 1e-12, 1)
        return -(p * np.log2(p)).sum(1).astype(np.float32)


class Scorer:
    """One or more checkpoints of one network; several are averaged as probabilities.

    Raises
    ------
    CheckpointError
        If a file is not a usable checkpoint, or if they were trained on differently harmonized signals.
    """

    def __init__(self, checkpoints: Sequence[Path], device: str = "cpu"):
        loaded: list[Checkpoint] = [load_checkpoint(path) for path in checkpoints]
        self.preprocessing = loaded[0].facts["preprocessing"]
        for path, other in zip(checkpoints, loaded, strict=True):
            self._check(path, other.facts["preprocessing"], self.preprocessing)
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
        densities: Sequence[int] = (),
    ) -> Scores:
        """Score one recording.

        Parameters
        ----------
        x : ndarray, shape (channel, sample), scaled units at 128 Hz, whole epochs
        hypnodensity_steps : int
            Rows of the hypnodensity per epoch.
        resolutions : sequence of int
            Predictions per 30 s to read out as stages.
        densities : sequence of int
            Those to read out as probabilities too.
        """
        wanted = sorted({*resolutions, hypnodensity_steps, *densities})
        signals = torch.from_numpy(np.ascontiguousarray(x, np.float32))[None].to(self._device)
        total: dict[int, torch.Tensor] = {}
        with torch.inference_mode():
            for model in self._models:
                for f, logits in model.multi(signals, wanted).items():
                    p = logits[0].softmax(-1)
                    total[f] = total[f] + p if f in total else p
        probability = {f: (total[f] / len(self._models)).cpu().numpy() for f in {hypnodensity_steps, *densities}}
        stage = {f: total[f].argmax(-1).to(torch.uint8).cpu().numpy() for f in resolutions}
        finer = {f: probability[f] for f in densities}
        return Scores(stage, probability[hypnodensity_steps], hypnodensity_steps, finer)


def pick_device(device: str) -> str:
    """Return the torch device for the config's auto, cpu or cuda."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device

"""One night through the network."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hypnoflow.errors import CheckpointError
from hypnoflow.models._base import StagingModel
from hypnoflow.models._checkpoint import Checkpoint, load_checkpoint
from hypnoflow.score.combine import Scores as Scores
from hypnoflow.score.combine import Wanted, combine
from hypnoflow.types import RESOLUTIONS, FloatArray

log = logging.getLogger(__name__)


class Scorer:
    """One or more checkpoints of one network; several are averaged as probabilities.

    Parameters
    ----------
    checkpoints : sequence of Path
    device : str
        The config's auto, cpu or cuda.
    calibrate : bool
        Whether logits are divided by the temperature that each checkpoint carries; one without takes 1.
    abstain_below : float
        Confidence below which an epoch is marked.

    Raises
    ------
    CheckpointError
        If a file is not a usable checkpoint, or if they were trained on differently harmonized signals.
    """

    def __init__(
        self, checkpoints: Sequence[Path], device: str = "cpu", *, calibrate: bool = True, abstain_below: float = 0.0
    ):
        loaded: list[Checkpoint] = [load_checkpoint(path) for path in checkpoints]
        self.preprocessing = loaded[0].facts["preprocessing"]
        for path, other in zip(checkpoints, loaded, strict=True):
            self._check(path, other.facts["preprocessing"], self.preprocessing)
        self._device = torch.device(pick_device(device))
        self._models: list[StagingModel] = [c.model.to(self._device) for c in loaded]
        self.facts = [c.facts for c in loaded]
        known = zip(checkpoints, self.facts, strict=True)
        self.temperatures = [temperature(path, facts) if calibrate else 1.0 for path, facts in known]
        self._abstain_below = abstain_below

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
        wanted = Wanted(resolutions, hypnodensity_steps, densities, self._abstain_below)
        signals = torch.from_numpy(np.ascontiguousarray(x, np.float32))[None].to(self._device)
        with torch.inference_mode():
            return combine(self._members(signals, wanted.read_out), self.temperatures, wanted)

    def _members(self, signals: torch.Tensor, wanted: Sequence[int]) -> Iterator[dict[int, torch.Tensor]]:
        """Yield each network's logits, shape (step, stage), at each resolution; only one network's are held."""
        for model in self._models:
            yield {f: logits[0] for f, logits in model.multi(signals, wanted).items()}


def temperature(path: Path, facts: dict[str, Any]) -> float:
    """Return the temperature that a checkpoint was calibrated to, 1 where it says nothing of it.

    Raises
    ------
    CheckpointError
        If what it says is no positive number.
    """
    found = (facts.get("training") or {}).get("calibration")
    if found is None:
        log.info("%s carries no calibration: its probabilities are taken as they are (temperature 1)", path)
        return 1.0
    value = found.get("temperature") if isinstance(found, dict) else found
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise CheckpointError(f"{path}: its calibration has the temperature {value!r}, expected a positive number")
    return float(value)


def pick_device(device: str) -> str:
    """Return the torch device for the config's auto, cpu or cuda."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device

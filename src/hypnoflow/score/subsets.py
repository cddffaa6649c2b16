"""One night through the network from many sets of its channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hypnoflow.errors import CheckpointError
from hypnoflow.score.infer import Scorer
from hypnoflow.types import FloatArray, StageArray


class SubsetScorer(Scorer):
    """One checkpoint of a network that takes any channels.

    Raises
    ------
    CheckpointError
        If the file is not a usable checkpoint, or its network needs channels of its own.
    """

    def __init__(self, checkpoint: Path, device: str = "cpu", threads: int = 1):
        torch.set_num_threads(threads)
        super().__init__([checkpoint], device)
        [self._model] = self._models
        if self.input.slots:
            raise CheckpointError(f"{checkpoint}: this network takes given channels; subsets of them cannot be scored")

    def stages(self, x: FloatArray, subsets: Sequence[Sequence[int]]) -> StageArray:
        """Return the 30-s stages from each subset of the channels, shape (subset, epoch).

        Parameters
        ----------
        x : ndarray, shape (channel, sample), scaled units at 128 Hz, whole epochs
        """
        with torch.inference_mode():
            found = self._model.subsets(self._tensor(x), subsets, [1])
            return np.stack([logits[1][0].argmax(-1).to(torch.uint8).cpu().numpy() for logits in found])

    def attention(self, x: FloatArray) -> NDArray[np.float32] | None:
        """Return the weight of each channel at each level, shape (level, channel); None if the network has none."""
        weights = getattr(self._model, "attention_weights", None)
        if weights is None:
            return None
        with torch.inference_mode():
            return np.asarray(weights(self._tensor(x))[0].cpu().numpy(), np.float32)

    def _tensor(self, x: FloatArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(x, np.float32))[None].to(self._device)

"""What all formats are written from: one scored night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hypnoflow.types import EPOCH_S, STAGES, UNSCORED, StageArray

NAMES = {**dict(enumerate(STAGES)), UNSCORED: "?"}
INTRUSION = "arousal-like intrusion"


@dataclass(frozen=True, slots=True)
class ScoredNight:
    """One scored night; times count from the recording's first sample.

    start : datetime or None
        Start of the first sample; None where the recording does not know it.
    stage : dict of int to ndarray of uint8, shape (step,)
        Stages at each wanted number of predictions per 30 s, and at 1; `UNSCORED` where nothing was recorded.
    probability : dict of int to ndarray, shape (step, stage), float32
        Hypnodensity at those and other numbers; NaN where nothing was recorded.
    wanted : tuple of int
        The resolutions that were asked for, in predictions per 30 s.
    display : int
        The resolution of the one hypnodensity in formats that hold only one.
    intrusions : sequence of (onset_s, duration_s)
        Arousal-like intrusions of wake.
    abstain_below : float
        Largest probability below which a step counts as too uncertain to be trusted.
    """

    name: str
    start: datetime | None
    stage: dict[int, StageArray]
    probability: dict[int, NDArray[np.float32]]
    wanted: tuple[int, ...]
    display: int
    intrusions: Sequence[tuple[float, float]] = ()
    channels: tuple[str, ...] = ()
    simulated: bool = False
    abstain_below: float = 0.0

    @property
    def epochs(self) -> list[str]:
        """Return the stage of each 30-s epoch by name, "?" where nothing was recorded."""
        return [NAMES[code] for code in self.stage[1].tolist()]

    def runs(self) -> list[tuple[float, float, str]]:
        """Return onset_s, duration_s and name of each stretch of one stage at 30 s."""
        stage = self.stage[1]
        edges = np.r_[0, np.flatnonzero(np.diff(stage)) + 1, len(stage)] * EPOCH_S
        names = (NAMES[code] for code in stage[edges[:-1] // EPOCH_S].tolist())
        return [(float(a), float(b - a), name) for a, b, name in zip(edges, edges[1:], names, strict=False)]


def step_name(steps_per_epoch: int) -> str:
    """Return the length of a step as files are named by it: 30s, 1s, 1.875s, 0.0078125s."""
    return f"{float(Fraction(EPOCH_S, steps_per_epoch)):.10g}s"

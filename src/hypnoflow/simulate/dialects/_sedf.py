"""What both parts of Sleep-EDF share: 12-bit samples, and stages of Rechtschaffen and Kales as EDF+ annotations."""

from __future__ import annotations

import numpy as np

from hypnoflow.types import StageArray

TWELVE_BIT = (-2048, 2047)


def labels(stages: StageArray, rng: np.random.Generator) -> list[str]:
    """Return the annotation text of each epoch: deep sleep is 3 or 4, and an epoch of movement is neither."""
    deep = np.where(rng.random(len(stages)) < 0.4, "4", "3")
    names = np.array(["W", "1", "2", "3", "R"])
    texts = []
    for epoch, stage in enumerate(stages):
        name = deep[epoch] if stage == 3 else names[stage]
        moved = stage == 0 and rng.random() < 0.01
        texts.append("Movement time" if moved else f"Sleep stage {name}")
    return texts

"""How well the scores of one night agree with its labels and, if it is simulated, with its truth."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hypnoflow.night.truth import TRUTH_HZ
from hypnoflow.stats.confusion import accuracy, cohen_kappa, confusion, count_columns, macro_f1
from hypnoflow.store.scores import StoredScores
from hypnoflow.types import EPOCH_S, EPOCH_SAMPLES, STAGES, StageArray

TRUTH_STEPS = EPOCH_S * TRUTH_HZ  # of the truth, in 30 s


def counts_at_30_s(labels: StageArray, found: StoredScores) -> dict[str, int]:
    """Return the confusion counts of 30-s epochs by the names of their columns, label first."""
    counts = confusion(labels, found.stage[1], len(found.classes))
    return dict(zip(count_columns(found.classes), counts.ravel().tolist(), strict=True))


def against_truth(truth: StageArray, labels: StageArray, found: StoredScores) -> Iterator[dict[str, float]]:
    """Yield one row per resolution; all are compared over the same time, in samples of 1/128 s.

    Parameters
    ----------
    truth : ndarray of uint8, shape (step of 1/8 s,)
    """
    truth = truth[: len(labels) * TRUTH_STEPS]
    candidates = {"expert_30_s": labels, "repeated_30_s": found.stage[1]}
    fixed = {name: _measures(truth, stage, 1) for name, stage in candidates.items()}
    for f, stage in found.stage.items():
        yield {
            "steps_per_epoch": f,
            "step_s": EPOCH_S / f,
            **_measures(truth, stage, f),
            **{f"{name}_{key}": value for name, values in fixed.items() for key, value in values.items()},
        }


def _measures(truth: StageArray, stage: StageArray, steps_per_epoch: int) -> dict[str, float]:
    """Return the agreement of stages with the truth, counted on the coarsest grid that has the edges of both."""
    steps = math.lcm(TRUTH_STEPS, steps_per_epoch)
    dense, repeated = np.repeat(truth, steps // TRUTH_STEPS), np.repeat(stage, steps // steps_per_epoch)
    known = repeated < len(STAGES)  # experts leave epochs unscored
    counts = confusion(dense[known], repeated[known]) * (EPOCH_SAMPLES // steps)
    return {
        "accuracy": float(accuracy(counts)),
        "kappa": float(cohen_kappa(counts)),
        "macro_f1": float(macro_f1(counts)),
    }

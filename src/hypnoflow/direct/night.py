"""What was scored → the night that is written, and its sleep statistics."""

from __future__ import annotations

import math
from typing import Any

from hypnoflow.config.features import Features
from hypnoflow.direct.inputs import Input
from hypnoflow.direct.score import ScoredFile
from hypnoflow.errors import shown
from hypnoflow.export.night import NAMES, ScoredNight
from hypnoflow.features import Hypnogram, classic_statistics, sleep_period, wake_intrusions
from hypnoflow.types import EPOCH_S, is_asleep

INTRUSION_STEPS = 16  # predictions per 30 s of the stages in which intrusions are sought: 1.875 s


def make_night(done: ScoredFile, given: Input, wanted: tuple[int, ...], options: Features) -> ScoredNight:
    """Return the night of a scored file, with the intrusions found in its sleep period."""
    scores = done.scores
    return ScoredNight(
        name=shown(given.name.name),
        start=done.start,
        stage=scores.stage,
        probability={**scores.densities, scores.steps_per_epoch: scores.probability},
        wanted=wanted,
        display=scores.steps_per_epoch,
        intrusions=_intrusions(done, options),
        channels=tuple(pick.label for pick in done.channels),
        simulated=given.simulated,
        abstain_below=scores.at_30_s.abstain_below if scores.at_30_s else 0.0,
    )


def _intrusions(done: ScoredFile, options: Features) -> list[tuple[float, float]]:
    stage = done.scores.stage
    if INTRUSION_STEPS not in stage:  # a network that scores 30 s only sees none
        return []
    sleep = Hypnogram(stage[INTRUSION_STEPS], INTRUSION_STEPS, sleep_period(stage[1]))
    found = wake_intrusions(sleep.asleep, INTRUSION_STEPS, **options.intrusion_rule())
    onset_s = found["onset_s"] + sleep.period.start * EPOCH_S
    return list(zip(onset_s.tolist(), found["duration_s"].tolist(), strict=True))


def statistics(night: ScoredNight) -> dict[str, Any]:
    """Return the sleep statistics of a night at 30 s, and the rate of intrusions; what is undefined is None.

    Returns
    -------
    dict
        epochs, recording_min, {stage}_min, unscored_min, those of `classic_statistics`, intrusions,
        intrusions_per_h (of sleep).
    """
    stage = night.stage[1]
    minute = EPOCH_S / 60
    lengths = {f"{_word(name)}_min": float((stage == code).sum() * minute) for code, name in NAMES.items()}
    asleep_h = float(is_asleep(stage).sum() * minute / 60)
    rate = len(night.intrusions) / asleep_h if asleep_h else None
    found = {
        "epochs": len(stage),
        "recording_min": len(stage) * minute,
        **lengths,
        **classic_statistics(stage, EPOCH_S),
        "intrusions": len(night.intrusions) if INTRUSION_STEPS in night.stage else None,
        "intrusions_per_h": rate if INTRUSION_STEPS in night.stage else None,
    }
    return {name: None if isinstance(x, float) and math.isnan(x) else x for name, x in found.items()}


def _word(name: str) -> str:
    return "unscored" if name == "?" else name.lower()

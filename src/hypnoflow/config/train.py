"""How networks learn, whichever they are; an entry of science.models may differ in any of it."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from hypnoflow.config.section import Section, option
from hypnoflow.types import EPOCH_SAMPLES, labels_per_epoch


class Train(Section):
    frozen: bool = option(
        False,
        "Keep a finished training when recordings or cohorts are added, and score those with it; false trains again.",
    )
    window_epochs: int = option(7, "Length of a training window; published 35.", "epochs", ge=1, le=5760)
    batch_size: int = option(14, "Windows per update, on all devices together; published 64.", "windows", ge=1)
    accumulate: int = option(
        1, "Parts of a batch that go through the network one after the other, to save memory.", "parts", ge=1
    )
    precision: Literal["32", "bf16-mixed"] = option(
        "32", "Arithmetic of training; bf16-mixed multiplies in bfloat16 and keeps weights in float32."
    )
    learning_rate: float = option(1.2e-2, "Adam (amsgrad) step; published 1e-5.", "1", gt=0)
    label_s: float = option(
        30.0, "Length of the labels to learn from and to validate on; finer ones need harmonize.label_s.", "s", gt=0
    )
    min_overlap_s: float = option(
        10.0, "An epoch has an apnea or hypopnea, for the tasks of these names, if one covers so much of it.", "s", gt=0
    )
    label_steps: int = option(
        8,
        "Predictions per label that the loss compares with the repeated label; published 1.",
        "1/label",
        ge=1,
    )
    schedule: Literal["constant", "cosine"] = option(
        "cosine", "Course of the learning rate over max_rounds; published constant."
    )
    updates_per_round: int = option(
        50, "Updates in a round of training, which ends with a validation; published 447.", "updates", ge=1
    )
    max_rounds: int = option(10, "Most rounds of training; published 10000.", "rounds", ge=1)
    patience: int = option(
        8,
        "Stop after this many rounds without a better validation macro-F1; published 100.",
        "rounds",
        ge=1,
    )
    dataset_mix: float = option(
        0.5, "Weight of cohorts drawn equally, against by size (AnySleep's alpha).", "1", ge=0, le=1
    )
    draw_by: Literal["recording", "person"] = option(
        "recording", "What is drawn evenly within a cohort: recordings, as published, or persons."
    )

    @property
    def steps_per_epoch(self) -> int:
        """Predictions per 30 s that the loss sees."""
        return self.label_steps * labels_per_epoch(self.label_s)

    @model_validator(mode="after")
    def _fits(self) -> Train:
        if EPOCH_SAMPLES % self.steps_per_epoch:
            raise ValueError(
                f"label_steps times 30 s / label_s must divide {EPOCH_SAMPLES}, found {self.steps_per_epoch}"
            )
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate must divide batch_size {self.batch_size}, found {self.accumulate}")
        return self

"""The options of scoring."""

from __future__ import annotations

from pydantic import model_validator

from hypnoflow.config.section import Section, option


class Score(Section):
    hypnodensity_steps: int = option(
        30, "Rows of the stored hypnodensity per 30-s epoch; 30 is one per second.", "1/epoch", ge=1
    )
    calibrate: bool = option(True, "Divide logits by the temperature fitted on the validation persons.")
    abstain_below: float = option(
        0.0,
        "Epochs whose largest calibrated probability is below are marked as too uncertain; they keep their stage.",
        "1",
        ge=0,
        le=1,
    )

    @model_validator(mode="after")
    def _divides(self) -> Score:
        if 3840 % self.hypnodensity_steps:
            raise ValueError(f"hypnodensity_steps must divide 3840, found {self.hypnodensity_steps}")
        return self

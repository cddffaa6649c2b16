"""The options of evaluation, and of scoring again from some channels."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from hypnoflow.config.compare import Resampling
from hypnoflow.config.section import Section, option


class Subsets(Section):
    kind: Literal["none", "count", "pairs", "all"] = option(
        "none", "Unseen nights are scored again from some channels: by their number, by pairs of electrodes, or both."
    )
    most_eeg: int = option(
        6, "Most EEG channels of a cell; only recordings with as many, and an EOG, enter any.", "channels", ge=1
    )
    draws: int = option(
        20, "Distinct subsets of a recording in each cell, drawn without replacement; all if no more.", "subsets", ge=1
    )


class Evaluate(Section):
    absent_class: Literal["skip", "one", "zero"] = option(
        "skip",
        "F1 of a stage absent from both truth and prediction: left out, counted 1 (AnySleep) or 0 (scikit-learn).",
    )
    subsets: Subsets = option(Subsets(), "How agreement depends on the channels.")
    coverages: tuple[float, ...] = option(
        (0.9,), "Shares of epochs to keep, surest first; thresholds come from the validation persons.", "1"
    )
    resampling: Resampling = option(Resampling(), "Intervals and tests of paired comparisons.")

    @field_validator("coverages")
    @classmethod
    def _shares(cls, coverages: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share <= 1 for share in coverages):
            raise ValueError("coverages must be above 0 and at most 1")
        return coverages

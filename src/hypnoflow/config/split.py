"""The options of splitting persons."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from hypnoflow.config.section import Section, option


class Split(Section):
    kind: Literal["ratio", "usleep", "table"] = option(
        "ratio",
        "Where the split comes from: drawn by the shares below (ratio), the lists that U-Sleep and AnySleep were "
        "trained with (usleep), or the user's own table.",
    )
    file: str | None = option(
        None,
        "With kind table, a CSV of cohort, recording or person, and split; with kind usleep, a copy of the published "
        "lists, which null downloads.",
    )
    hold_out: bool = option(
        True, "Keep the cohorts that say held_out out of training and validation; false splits the persons of all."
    )
    valid_fraction: float = option(0.10, "Share of a cohort's persons used for validation.", "1", gt=0, lt=1)
    valid_max: int = option(50, "Most persons of a cohort used for validation.", "persons", ge=1)
    test_fraction: float = option(0.15, "Share of a cohort's persons used for testing.", "1", gt=0, lt=1)
    test_max: int = option(100, "Most persons of a cohort used for testing.", "persons", ge=1)

    @model_validator(mode="after")
    def _file_fits(self) -> Split:
        if self.kind == "table" and self.file is None:
            raise ValueError("kind table needs file, a CSV of cohort, recording or person, and split")
        if self.kind == "ratio" and self.file is not None:
            raise ValueError("kind ratio draws the split and reads no file; set kind to table or usleep")
        return self

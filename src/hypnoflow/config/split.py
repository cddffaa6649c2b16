"""The options of splitting persons."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from hypnoflow.config.section import Section, option


class Split(Section):
    kind: Literal["ratio", "usleep", "table", "folds"] = option(
        "ratio",
        "Where the split comes from: drawn by the shares below (ratio), the lists that U-Sleep and AnySleep were "
        "trained with (usleep), the user's own table, or folds: each entry is trained once for every fold, and every "
        "person is scored by the networks that did not see the person's fold.",
    )
    folds: int = option(
        10,
        "With kind folds, how many; 20 with persons 20 is the protocol of Sleep-EDF-20, 10 that of Sleep-EDF-78.",
        "folds",
        ge=2,
        le=1000,
    )
    persons: int | None = option(
        None, "With kind folds, only the first so many persons of a cohort, by name; null takes all.", "persons", ge=2
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
        if self.kind == "folds" and self.file is not None:
            raise ValueError("kind folds deals persons into folds and reads no file; set kind to table or usleep")
        return self

    @property
    def fold_numbers(self) -> tuple[int | None, ...]:
        """Return the folds that each entry is trained for; None where there are none."""
        return tuple(range(1, self.folds + 1)) if self.kind == "folds" else (None,)

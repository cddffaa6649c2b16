"""The configuration's section of cohorts, and those that the demo simulates."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationInfo, field_validator, model_validator

from hypnoflow.config.section import Section, option

StageName = Literal["W", "N1", "N2", "N3", "R", "unscored"]


class CohortConfig(Section):
    kind: Literal["named", "folder", "bids"] = option(
        "named", "Layout: of the cohort of this name, any folder of recordings, or EEG-BIDS; the last two need a root."
    )
    root: str | None = option(None, "Folder of the cohort's native files; null simulates the cohort.")
    channels: dict[str, tuple[str, ...]] | tuple[str, ...] | None = option(
        None, "Labels to use, or {standard label: label or 'A - B'}; null guesses from the names. Not for named ones."
    )
    stages: dict[str, StageName] | None = option(
        None, "{label in the file: W, N1, N2, N3, R or unscored}, added to the common labels. Not for named ones."
    )
    participants: str | None = option(None, "Table of persons, relative to root; null: participants.tsv or .csv.")
    held_out: bool = option(False, "Keep the whole cohort out of training and validation.")
    persons: int = option(12, "Number of persons to simulate, where root is null.", "persons", ge=0)
    night_h: float | None = option(
        None, "Mean length of this cohort's simulated recordings; null takes simulate.night_h.", "h", ge=0.25, le=24
    )
    repeat_persons: float = option(
        0.0, "Share of the simulated persons who come back for a second night or visit.", "1", ge=0, le=1
    )

    @field_validator("channels", "stages", mode="before")
    @classmethod
    def _short_forms(cls, given: Any, info: ValidationInfo) -> Any:
        """Let one source stand without brackets, and number codes without quotes: ``{C3-M2: EEG}``, ``{0: W}``."""
        if not isinstance(given, dict):
            return given
        is_source = info.field_name == "channels"
        return {str(k): (v,) if is_source and isinstance(v, str) else v for k, v in given.items()}

    @model_validator(mode="after")
    def _belongs_together(self) -> CohortConfig:
        if self.kind != "named" and self.root is None:
            raise ValueError(f"a cohort of kind {self.kind} needs a root, the folder of its recordings")
        given = self.model_dump(include={"channels", "stages", "participants"}, exclude_none=True)
        if self.kind == "named" and given:
            raise ValueError(f"{', '.join(given)} are for kind folder or bids; a named cohort has its own in its file")
        return self


# AnySleep trains on the first thirteen of its cohorts and only tests on the other eight (arXiv 2512.14461, table 1).
# The demo simulates a short night or two of each, and longer series of those on which it compares resolutions.
_TRAINED_ON = ("abc", "ccshs", "cfs", "chat", "dcsm", "hpap", "mesa", "mros", "sedf-st", "sof")
_HELD_OUT = ("dodo", "isruc-sg1", "isruc-sg2", "isruc-sg3", "mass-c1", "mass-c3", "svuh")
DEMO = {
    "sedf-sc": CohortConfig(persons=16, repeat_persons=0.35),
    "shhs": CohortConfig(persons=20, repeat_persons=0.2),
    "phys": CohortConfig(persons=6),
    "dodh": CohortConfig(persons=4, held_out=True),
    **{name: CohortConfig(persons=2, night_h=0.3) for name in _TRAINED_ON},
    **{name: CohortConfig(persons=2, night_h=0.3, held_out=True) for name in _HELD_OUT},
}

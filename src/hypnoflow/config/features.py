"""Options of the stage `features`."""

from __future__ import annotations

from pydantic import field_validator

from hypnoflow.config.section import Range, Section, option, rising


class Features(Section):
    block_min: float = option(90.0, "Length of a block in which stage triplets are counted.", "min", gt=0)
    intrusion_min_s: float = option(3.0, "Shortest wake intrusion.", "s", ge=0)
    intrusion_max_s: float = option(15.0, "Longest wake intrusion.", "s", gt=0)
    intrusion_gap: float = option(
        0.1, "Wake runs are merged if the gap is at most this share of the merged length.", "1", ge=0
    )
    intrusion_sleep_before_s: float = option(
        10.0, "Sleep needed between an intrusion and the wake run before it.", "s", ge=0
    )
    periodic_s: Range = option(
        (10.0, 90.0), "Intrusions are periodic at intervals within, as limb movements are; upper end included.", "s"
    )
    event_window_s: float = option(30.0, "Time before and after an intrusion in which sleep is compared.", "s", gt=0)
    microsleep_s: Range = option(
        (1.0, 15.0), "Shortest and longest micro-sleep, as in the BERN criteria; both included.", "s"
    )
    microsleep_wake_s: float = option(5.0, "Wake needed on either side of a micro-sleep; chosen.", "s", ge=0)
    short_bout_s: float = option(30.0, "Bouts up to this length count as fragments of their stage.", "s", gt=0)
    bout_fit_min: int = option(
        5, "Completed bouts of a stage needed for its survival fits; with fewer they are NaN; chosen.", "bouts", ge=2
    )
    transition_margin: float = option(
        0.5, "Two stages compete where the margin of the hypnodensity is below; chosen.", "1", gt=0, le=1
    )

    @field_validator("periodic_s", "microsleep_s")
    @classmethod
    def _ordered(cls, limits: Range) -> Range:
        return rising(limits)

    @property
    def block_epochs(self) -> int:
        """Length of a block in 30-s epochs, rounded, at least one."""
        return max(1, round(self.block_min * 2))

    def intrusion_rule(self) -> dict[str, float]:
        """Return the constants of `hypnoflow.features.wake_intrusions`."""
        return {
            "min_s": self.intrusion_min_s,
            "max_s": self.intrusion_max_s,
            "gap": self.intrusion_gap,
            "sleep_before_s": self.intrusion_sleep_before_s,
        }

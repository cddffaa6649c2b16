"""What a cohort's harmonized recordings must hold, stated from the facts about the cohort and not from its reader."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """Channels, rates, events and demographics of one cohort.

    `optional_channels` are those that only some of its recordings have, or whose place in the files is not certain.
    """

    channels: dict[str, list[str]]  # kind -> labels in order
    source_rates_hz: dict[str, set[float]]
    rates_hz: dict[str, float]
    event_tolerance_s: float | None  # None where the files hold no events
    events: tuple[str, ...] = ()  # kinds that come from the truth
    demographics: frozenset[str] = frozenset()  # columns of the manifest that are known
    optional_channels: frozenset[str] = frozenset()
    rates_vary: bool = False

"""What the contract tests ask of a cohort."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Expected:
    """What a cohort's harmonized recordings must hold.

    channels : dict
        Kind → standard labels in order.
    source_rates_hz : dict
        Kind → rates that its channels may have in the native files.
    rates_hz : dict
        Kind → rate after harmonizing.
    event_tolerance_s : float or None
        How far an event may lie from the truth; None where the files hold no events.
    events : tuple of str
        Kinds of event that come from the hidden truth; the files may hold others beside them.
    demographics : set of str
        Columns that the manifest knows for a person's first visit. An age above 89 is written as 90.
    optional_channels : set of str
        Labels of `channels` that only some files have, or that may be dropped as flat.
    rates_vary : bool
        Whether native rates differ from file to file.
    recorded_against : str
        Electrode that the file's electrodes are recorded against, so that each has artefacts of its own; "" where
        the file may hold derivations already.
    """

    channels: dict[str, list[str]]
    source_rates_hz: dict[str, set[float]]
    rates_hz: dict[str, float]
    event_tolerance_s: float | None
    events: tuple[str, ...] = ()
    demographics: set[str] = field(default_factory=set)
    optional_channels: set[str] = field(default_factory=set)
    rates_vary: bool = False
    recorded_against: str = ""

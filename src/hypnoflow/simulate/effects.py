"""Which of a person's traits act on a part of the night, by the config's switches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hypnoflow.config.simulate import Acts, Effects
from hypnoflow.seeds import generator

if TYPE_CHECKING:
    from hypnoflow.simulate.persons import Person

Part = Literal["macro", "micro"]

AS_IN_HUMANS = Effects()
# What stands in for a trait that is switched off.
MIDDLE_DECADES, MIDDLE_MALE, NO_AHI = 3.0, 0.5, 0.0


@dataclass(frozen=True, slots=True)
class Acting:
    """Traits as one part of the night feels them.

    decades : float
        Age above 20 years, in decades.
    male : float
        1, 0, or one half where sex does not act.
    ahi_per_h : float
        Respiratory events per hour; 0 where apnea does not act.
    """

    decades: float
    male: float
    ahi_per_h: float


def acts_on(switch: Acts, part: Part) -> bool:
    """Return whether a mechanism acts on a part of the night."""
    return switch in ("both", part)


def acting(person: Person, effects: Effects, part: Part) -> Acting:
    """Return the traits of `person` as `part` of the night feels them."""
    return Acting(
        decades=(person.age_y - 20) / 10 if acts_on(effects.age, part) else MIDDLE_DECADES,
        male=float(person.male) if acts_on(effects.sex, part) else MIDDLE_MALE,
        ahi_per_h=person.ahi_per_h if acts_on(effects.apnea, part) else NO_AHI,
    )


def site_noise(effects: Effects, cohort: str, seed: int) -> float:
    """Return the factor on everything that blurs a recording of `cohort`; 1 without site effects."""
    if not effects.site_noise:
        return 1.0
    return float(np.exp(effects.site_noise * generator(seed, "simulate", cohort, "site noise").standard_normal()))

"""Simulated persons: age, sex, apnea-hypopnea index, body mass index and the traits that shape their signals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hypnoflow.config.simulate import Effects
from hypnoflow.simulate.effects import AS_IN_HUMANS, acts_on


@dataclass(frozen=True, slots=True)
class Population:
    """Who takes part in a cohort.

    `ahi_median_per_h` and `ahi_log_sd` describe a log-normal AHI at age 50; men have more, and the old have more.
    """

    age_range_y: tuple[float, float]
    male_share: float
    ahi_median_per_h: float
    ahi_log_sd: float


@dataclass(frozen=True, slots=True)
class Person:
    """One simulated human; all visits share it."""

    number: int
    age_y: float
    male: bool
    ahi_per_h: float
    bmi: float
    gain: float  # amplitude of all EEG relative to the average person
    alpha: float  # of the posterior rhythm
    spindle: float  # of spindles, in number and size
    delta: float  # of slow waves
    aperiodic: float  # offset of the spectral exponent
    arousability: float  # factor on the arousal index that age and AHI predict

    @property
    def sex(self) -> str:
        return "male" if self.male else "female"


def draw_person(
    population: Population, number: int, rng: np.random.Generator, effects: Effects = AS_IN_HUMANS
) -> Person:
    """Draw one person.

    Delta falls and spindles thin out with age (Nicolas et al. 2001, Clin Neurophysiol 112:521); women have more
    slow activity; AHI rises by about 1.2 /h per decade (Boulos et al. 2019, doi 10.1016/S2213-2600(19)30057-8).
    The signals' traits follow age and sex where these act on the macrostructure, as slow waves decide what is N3.
    How much persons of one age differ, and how steeply traits change with age, is chosen.
    """
    age_y = rng.uniform(*population.age_range_y)
    male = bool(rng.random() < population.male_share)
    older = (age_y - 50) / 10
    log_ahi = np.log(population.ahi_median_per_h) + population.ahi_log_sd * rng.standard_normal()
    aged = older if acts_on(effects.age, "macro") else 0.0
    extra_delta = (0.0 if male else 0.12) if acts_on(effects.sex, "macro") else 0.06
    ahi = float(np.exp(log_ahi) * (1.25 if male else 0.75) + 1.4 * older)
    return Person(
        number=number,
        age_y=round(float(age_y), 1),
        male=male,
        ahi_per_h=float(np.clip(ahi, 0.2, 90)),
        bmi=round(float(np.clip(25.5 + 0.12 * min(ahi, 40) + 3.5 * rng.standard_normal(), 17, 50)), 1),
        gain=float(np.exp(0.17 * rng.standard_normal())),
        alpha=float(np.exp(0.65 * rng.standard_normal())),
        spindle=float(np.exp(0.18 * rng.standard_normal() - 0.075 * aged)),
        delta=float(np.exp(0.12 * rng.standard_normal() - 0.035 * aged + extra_delta)),
        aperiodic=float(0.08 * rng.standard_normal() - 0.015 * aged),
        arousability=float(np.exp(0.25 * rng.standard_normal())),
    )

"""A study without signals: persons, families and visits in several cohorts, and their nights as a network reads them.

Fine hypnograms come straight from the generator, so that a study of 120 persons takes seconds and a test of the
statistics can be repeated on hundreds. What a network would add is a soft, noisy reading: `read_night`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter

from hypnoflow.config.simulate import Effects
from hypnoflow.night.truth import TRUTH_HZ, Truth
from hypnoflow.seeds import generator
from hypnoflow.simulate.effects import AS_IN_HUMANS
from hypnoflow.simulate.night import draw_night
from hypnoflow.simulate.persons import Person, Population, draw_person
from hypnoflow.store.scores import StoredScores
from hypnoflow.types import EPOCH_S, RESOLUTIONS, STAGES, StageArray

SAMPLES_PER_EPOCH = EPOCH_S * TRUTH_HZ
# Finer than 8 Hz the truth only repeats; a study stops at the first resolution that shows all of it.
STUDY_RESOLUTIONS = tuple(f for f in RESOLUTIONS if f <= 256)
HYPNODENSITY_STEPS = 30

# The reading, all chosen: log-odds of the true stage, width of a transition, and noise of two speeds. At noise 1 a
# few percent of the 8-Hz samples are read as another stage and one epoch in twenty at 30 s.
LOG_ODDS, BLUR_S = 4.0, 1.0
FAST_S, FAST_SD = 0.4, 1.0  # flickers
SLOW_S, SLOW_STEP_S, SLOW_SD = 60.0, 2.0, 0.9  # whole stretches that look like another stage
NOISE_LOG_SD = 0.15  # between persons
SIBLING_AGE_SD_Y = 4.0


@dataclass(frozen=True, slots=True)
class Site:
    """One cohort of a study.

    noise : float
        Factor on what blurs its readings: equipment, or who cleans the electrodes. No property of a person.
    """

    name: str
    persons: int
    population: Population = Population((20, 80), 0.5, 6.0, 1.0)
    noise: float = 1.0


@dataclass(frozen=True, slots=True)
class Design:
    """What all sites of a study share.

    night_h : tuple of float
        Range of recording lengths, drawn uniformly, h.
    repeat_persons, siblings : float
        Shares of persons with a second night, and who belong to the family of the person before.
    resolutions : sequence of int
        Predictions per 30 s.
    """

    night_h: tuple[float, float] = (4.0, 8.0)
    repeat_persons: float = 0.2
    siblings: float = 0.1
    resolutions: Sequence[int] = STUDY_RESOLUTIONS


@dataclass(frozen=True, slots=True)
class Recording:
    """One night of a study: the row of its manifest, and what is needed to draw it."""

    row: dict[str, object]
    person: Person
    noise: float


@dataclass(frozen=True, slots=True)
class Study:
    """Recordings of a study, whose nights are drawn when asked for."""

    recordings: tuple[Recording, ...]
    effects: Effects
    design: Design
    seed: int

    @property
    def manifest(self) -> pd.DataFrame:
        """Return a row per recording: cohort, shard, recording, person, group, split, age_y, sex, ahi_per_h, bmi."""
        return pd.DataFrame([recording.row for recording in self.recordings])

    def scores(self) -> Iterator[tuple[dict[str, object], StoredScores]]:
        """Yield the manifest's row and the scores of each recording, one in memory at a time."""
        for recording in self.recordings:
            row = recording.row
            rng = generator(self.seed, "study", "night", str(row["cohort"]), str(row["recording"]))
            length_s = rng.uniform(*self.design.night_h) * 3600
            night = draw_night(recording.person, length_s, rng, self.effects)
            yield row, read_night(night, recording.noise, rng, self.design.resolutions)


def draw_study(
    sites: Sequence[Site], effects: Effects = AS_IN_HUMANS, design: Design = Design(), *, seed: int
) -> Study:
    """Draw the persons, families and visits of a study; the nights follow from `Study.scores`.

    A sibling shares the family's arousability and has about its age, so that a family is no independent evidence.
    """
    recordings: list[Recording] = []
    for site in sites:
        before: Person | None = None
        family = ""
        for number in range(site.persons):
            rng = generator(seed, "study", "person", site.name, number)
            person = draw_person(site.population, number, rng, effects)
            name = f"{number:04d}"
            if before is not None and rng.random() < design.siblings:
                person = _sibling(person, before, site.population, rng)
            else:
                family = f"F{number:04d}"
            noise = float(site.noise * np.exp(NOISE_LOG_SD * rng.standard_normal()))
            for visit in range(1, 2 + int(rng.random() < design.repeat_persons)):
                row = _row(site.name, name, visit, family, person)
                recordings.append(Recording(row, person, noise))
            before = person
    return Study(tuple(recordings), effects, design, seed)


def _sibling(person: Person, before: Person, population: Population, rng: np.random.Generator) -> Person:
    age_y = float(np.clip(before.age_y + SIBLING_AGE_SD_Y * rng.standard_normal(), *population.age_range_y))
    return replace(person, age_y=round(age_y, 1), arousability=before.arousability)


def _row(cohort: str, name: str, visit: int, family: str, person: Person) -> dict[str, object]:
    return {
        "cohort": cohort,
        "shard": "000",
        "recording": f"{name}n{visit}",
        "person": name,
        "group": family,
        "split": "test",
        "age_y": person.age_y,
        "sex": person.sex,
        "ahi_per_h": person.ahi_per_h,
        "bmi": person.bmi,
    }


def read_night(
    night: Truth, noise: float, rng: np.random.Generator, resolutions: Sequence[int] = STUDY_RESOLUTIONS
) -> StoredScores:
    """Read a night as a network does: soft probabilities eight times a second, averaged over each step.

    Parameters
    ----------
    night : Truth
    noise : float
        Factor on the noise of the log-odds; with 0 the truth itself is read, and each step takes the stage that
        fills most of it, the first of equals.
    resolutions : sequence of int
        Predictions per 30 s; beyond 240 the truth repeats.

    Returns
    -------
    StoredScores
        Stages at each resolution, and the hypnodensity at `HYPNODENSITY_STEPS`.
    """
    fine = _one_hot(night.stage) if noise == 0 else _soft(night.stage, noise, rng)
    epochs = fine.shape[1] // SAMPLES_PER_EPOCH
    total = np.zeros((len(STAGES), fine.shape[1] + 1))
    np.cumsum(fine, axis=1, out=total[:, 1:])
    finest = fine.argmax(0).astype(np.uint8)
    stage = {
        f: _repeated(finest, epochs, f) if f > SAMPLES_PER_EPOCH else _decided(total, epochs, f) for f in resolutions
    }
    density = _pooled(total, epochs, HYPNODENSITY_STEPS).T.astype(np.float32)
    return StoredScores(stage, density / density.sum(1, keepdims=True), HYPNODENSITY_STEPS)


def _decided(total: NDArray[np.float64], epochs: int, steps_per_epoch: int) -> StageArray:
    return _pooled(total, epochs, steps_per_epoch).argmax(0).astype(np.uint8)


def _repeated(finest: StageArray, epochs: int, steps_per_epoch: int) -> StageArray:
    """Return, for each step shorter than a sample, the stage of the sample at its middle."""
    middles = 2 * np.arange(epochs * steps_per_epoch) + 1  # in half steps
    return finest[middles * SAMPLES_PER_EPOCH // (2 * steps_per_epoch)]


def _pooled(total: NDArray[np.float64], epochs: int, steps_per_epoch: int) -> NDArray[np.float64]:
    """Return the sum of probabilities in each step, shape (stage, step); steps need not end between samples."""
    if SAMPLES_PER_EPOCH % steps_per_epoch == 0:
        return np.diff(total[:, : epochs * SAMPLES_PER_EPOCH + 1 : SAMPLES_PER_EPOCH // steps_per_epoch], axis=1)
    edges = np.arange(epochs * steps_per_epoch + 1) * SAMPLES_PER_EPOCH  # in samples, times steps_per_epoch
    whole, rest = np.divmod(edges, steps_per_epoch)
    at = total[:, whole]
    after = total[:, np.minimum(whole + 1, total.shape[1] - 1)]
    return np.diff(at + rest / steps_per_epoch * (after - at), axis=1)


def _one_hot(stage: StageArray) -> NDArray[np.float32]:
    """Return shape (stage, sample)."""
    return (stage == np.arange(len(STAGES), dtype=np.uint8)[:, None]).astype(np.float32)


def _soft(stage: StageArray, noise: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the probability of each stage at each sample, shape (stage, sample)."""
    log_odds = uniform_filter1d(LOG_ODDS * _one_hot(stage), int(BLUR_S * TRUTH_HZ), axis=1, mode="nearest")
    log_odds += noise * _noise(len(stage), rng)
    log_odds -= log_odds.max(0)
    np.exp(log_odds, out=log_odds)
    log_odds /= log_odds.sum(0)
    return log_odds


def _noise(n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise of the log-odds, shape (stage, sample): flickers, and a slow wandering in steps."""
    hold = int(SLOW_STEP_S * TRUTH_HZ)
    fast = _wander(n, FAST_S * TRUTH_HZ, rng)
    slow = _wander(-(-n // hold), SLOW_S / SLOW_STEP_S, rng)
    return FAST_SD * fast + SLOW_SD * np.repeat(slow, hold, axis=1)[:, :n]


def _wander(n: int, steps: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return first-order autoregressive noise of unit variance that forgets in `steps`, shape (stage, n)."""
    stay = np.float32(np.exp(-1 / steps))
    drive = rng.standard_normal((len(STAGES), n), np.float32) * np.sqrt(1 - stay**2)
    drive[:, 0] /= np.sqrt(1 - stay**2)
    return lfilter(np.ones(1, np.float32), np.array([1, -stay], np.float32), drive, axis=1)

"""The hidden truth of a simulated night: stages eight times a second, arousals and respiratory events.

A semi-Markov chain of bouts makes the macrostructure, with parameters that move with age, sex and AHI as the
norms say; short excursions, arousals and apneas then cut it at the scale of seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hypnoflow.config.simulate import Effects
from hypnoflow.night.truth import TRUTH_HZ, Truth
from hypnoflow.simulate.effects import AS_IN_HUMANS, acting
from hypnoflow.simulate.persons import Person
from hypnoflow.types import EPOCH_S, N1, N2, N3, Event, R, StageArray, W

# Median bout lengths, min, and log-SD, chosen; wake inside the night is drawn apart.
BOUT_MIN = {N1: (2.0, 0.5), N2: (7.0, 0.6), N3: (9.0, 0.5), R: (9.0, 0.5)}
CYCLE_MIN = 92.0
WASO_LOG_SD = 0.4  # from night to night; chosen
# Where a short excursion goes, and how many there are per hour of each stage. Together with arousals they bring
# 5-s scoring to the 1.7 transitions/min that human mini-epoch scorers found (PMID 41384756). They saw less N3 and R
# at 5 s than at 30 s, so these are cut most; N2 rarely turns to N3, as 6 s of N3 would make the 30-s epoch N3.
EXCURSION_TO = {W: (N1,), N1: (W, N2), N2: 11 * (N1,) + (N3,), N3: (N2,), R: 4 * (N1,) + (N2,)}
EXCURSIONS_PER_H = {W: 30.0, N1: 50.0, N2: 36.0, N3: 75.0, R: 45.0}
NEIGHBOUR = {W: N1, N1: N2, N2: N1, N3: N2, R: N1}  # what a stage's signals are mixed with
# How much of the neighbour, relative to the config's `ambiguity`. Slow waves wane within N3, and experts differ most
# about where it begins. Chosen: with equal shares an independent stager confused N3 and N2 less than on real nights.
BORROWED = {W: 1.0, N1: 0.6, N2: 0.8, N3: 3.0, R: 1.2}
# How often an expert errs in each stage, relative to the config's `scorer_noise`, and what is then written. N1 is the
# stage that experts agree on least; doubt in N2 is mostly about N3.
SLIP = {
    W: (0.5, (N1,)),
    N1: (2.0, (W, N2)),
    N2: (0.6, (N1, N3, N3, N3)),
    N3: (1.0, (N2,)),
    R: (0.6, (N1, N2)),
}


@dataclass(frozen=True, slots=True)
class Norms:
    """What age, sex and AHI make of a night, for a recording of any length.

    Slopes per decade: WASO +9.7 min and latency +1.1 min per 8-h night, arousal index +2.1 /h
    (Boulos et al. 2019, doi 10.1016/S2213-2600(19)30057-8); men +3 arousals/h. Wake of less than half an epoch and
    arousals that find no quiet sleep are lost when a night is scored, AHI adds some of both, so the slopes in `norms`
    differ from those: they are set to give them in scored nights. With age awakenings grow longer as well as more
    frequent, as N1 rises by only 0.5 % per decade (same source). Sleep apnea adds wake and arousals and takes N3.
    """

    latency_min: float
    waso_per_h_min: float
    awakening_min: float  # mean length of an awakening
    arousals_per_h: float
    deep: float  # propensity to go from N2 to N3 at the start of the night
    arousing: float  # probability that a respiratory event ends in an arousal


def norms(person: Person, effects: Effects = AS_IN_HUMANS) -> Norms:
    """Return the expected night of `person`, moved only by the mechanisms that `effects` leaves at work."""
    macro, micro = acting(person, effects, "macro"), acting(person, effects, "micro")
    return Norms(
        latency_min=11.0 + 1.4 * macro.decades,
        waso_per_h_min=(16.0 + 11.5 * macro.decades + 0.25 * macro.ahi_per_h) / 8,
        awakening_min=2.5 + 0.6 * macro.decades,
        arousals_per_h=max(2.0, (6.0 + 1.9 * micro.decades + 3.0 * micro.male) * person.arousability),
        deep=float(np.clip(0.60 - 0.04 * macro.decades - 0.003 * macro.ahi_per_h + 0.08 * (1 - macro.male), 0.12, 0.9)),
        arousing=0.65 if micro.ahi_per_h else 0.0,
    )


def draw_night(person: Person, duration_s: float, rng: np.random.Generator, effects: Effects = AS_IN_HUMANS) -> Truth:
    """Draw one night of `person`, `duration_s` rounded to whole epochs."""
    n = int(round(duration_s / EPOCH_S)) * EPOCH_S * TRUTH_HZ
    expected = norms(person, effects)
    stage = _macrostructure(n, expected, rng)
    _add_excursions(stage, rng)
    breathing = _respiratory_events(stage, person.ahi_per_h, rng)
    arousals = _arousals(stage, breathing, expected, rng)
    if effects.keep_30_s:
        arousals = _invisible_at_30_s(stage, arousals)
    for arousal in arousals:
        stage[_samples(arousal)] = W
    events = sorted([*breathing, *arousals], key=lambda event: event.onset_s)
    return Truth(stage, tuple(events))


def _invisible_at_30_s(stage: StageArray, arousals: list[Event]) -> list[Event]:
    """Return the arousals, in order of time, with which every 30-s epoch keeps the stage of its majority."""
    size = EPOCH_S * TRUTH_HZ
    tried, kept = stage.copy(), []
    for arousal in arousals:
        cut = _samples(arousal)
        epochs = slice(cut.start // size * size, -(-cut.stop // size) * size)
        was, before = tried[epochs].copy(), majority(stage[epochs])
        tried[cut] = W
        if np.array_equal(majority(tried[epochs]), before):
            kept.append(arousal)
        else:
            tried[epochs] = was
    return kept


def majority(stage: StageArray) -> StageArray:
    """Return the commonest stage of each whole 30-s epoch of a truth, the first of equals, shape (epoch,)."""
    return _counts(stage).argmax(1).astype(np.uint8)


def _counts(stage: StageArray) -> np.ndarray:
    """Return samples of each stage in each whole 30-s epoch, shape (epoch, stage)."""
    size = EPOCH_S * TRUTH_HZ
    epochs = stage[: len(stage) // size * size].reshape(-1, size)
    return np.stack([(epochs == code).sum(1) for code in range(5)], axis=1)


def _samples(event: Event) -> slice:
    start = int(round(event.onset_s * TRUTH_HZ))
    return slice(start, start + int(round(event.duration_s * TRUTH_HZ)))


def _macrostructure(n: int, expected: Norms, rng: np.random.Generator) -> StageArray:
    """Fill the night with bouts: wake, sleep cycles cut by awakenings, and wake at the end."""
    stage = np.full(n, W, np.uint8)
    latency = expected.latency_min * np.exp(0.5 * rng.standard_normal() - 0.125)
    t = onset = int(np.clip(latency * 60, 120, 0.4 * n / TRUTH_HZ) * TRUTH_HZ)
    end = n - int(rng.uniform(2, 6) * 60 * TRUTH_HZ)
    awake_min = expected.awakening_min
    waso_per_h_min = expected.waso_per_h_min * np.exp(WASO_LOG_SD * rng.standard_normal() - WASO_LOG_SD**2 / 2)
    wake_every_s = awake_min / max(waso_per_h_min, 0.2) * 3600
    next_wake = t + rng.exponential(wake_every_s) * TRUTH_HZ
    current = N1
    while t < end:
        if t >= next_wake:
            length_min, current_was, current = rng.gamma(1.3, awake_min / 1.3), current, W
            next_wake = t + (length_min * 60 + rng.exponential(wake_every_s)) * TRUTH_HZ
        else:
            median, log_sd = BOUT_MIN[current]
            length_min, current_was = median * np.exp(log_sd * rng.standard_normal()), current
            length_min = min(length_min, max(0.5, (next_wake - t) / TRUTH_HZ / 60))
        stop = min(end, t + max(int(length_min * 60 * TRUTH_HZ), 4 * TRUTH_HZ))
        stage[t:stop] = current
        asleep_min = (stop - onset) / TRUTH_HZ / 60
        current = _next_stage(current, current_was, asleep_min, expected.deep, rng)
        t = stop
    return stage


def _next_stage(current: int, before: int, asleep_min: float, deep: float, rng: np.random.Generator) -> int:
    """Draw the next bout's stage from where the night and its cycle stand."""
    phase = (asleep_min % CYCLE_MIN) / CYCLE_MIN
    cycle = int(asleep_min // CYCLE_MIN)
    if current == W:
        if before == R and rng.random() < 0.35:
            return R
        return N2 if before in (N2, N3) and rng.random() < 0.4 else N1
    if current == N1:
        return R if phase > 0.75 and rng.random() < 0.3 else N2
    if current == R:
        return R if phase > 0.85 and rng.random() < 0.3 else int(rng.choice((N1, N2), p=(0.4, 0.6)))
    return N2 if current == N3 else _after_n2(phase, cycle, deep, rng)


def _after_n2(phase: float, cycle: int, deep: float, rng: np.random.Generator) -> int:
    rem = 0.9 if phase > 0.70 else (0.12 if cycle > 1 and phase > 0.5 else 0.0)
    if rng.random() < rem:
        return R
    if phase < 0.68 and rng.random() < 1.5 * deep * 0.68**cycle:
        return N3
    return N1 if rng.random() < 0.42 else N2


def _add_excursions(stage: StageArray, rng: np.random.Generator) -> None:
    """Cut bouts with stretches of 3 to 11 s in a neighbouring stage, in place."""
    macro = stage.copy()
    for code, per_h in EXCURSIONS_PER_H.items():
        where = np.flatnonzero(macro == code)
        count = rng.poisson(per_h * len(where) / TRUTH_HZ / 3600)
        for start in rng.choice(where, size=count) if count else ():
            length = int(rng.uniform(3, 11) * TRUTH_HZ)
            inside = slice(start, start + length)
            if np.all(macro[inside] == code):
                stage[inside] = rng.choice(EXCURSION_TO[code])


def _respiratory_events(stage: StageArray, ahi_per_h: float, rng: np.random.Generator) -> list[Event]:
    """Place apneas and hypopneas in sleep, each followed by a desaturation."""
    tendency = np.array([0.0, 1.2, 1.0, 0.4, 1.5])[stage]
    asleep_h = np.count_nonzero(stage != W) / TRUTH_HZ / 3600
    wanted = rng.poisson(ahi_per_h * asleep_h)
    if not wanted or not tendency.any():
        return []
    onsets = np.sort(rng.choice(len(stage), size=3 * wanted, p=tendency / tendency.sum()) / TRUTH_HZ)
    kinds = ("hypopnea", "apnea_obstructive", "apnea_central", "apnea_mixed")
    events: list[Event] = []
    busy_until, placed = 0.0, 0
    keep = rng.permutation(len(onsets))[: int(1.6 * wanted)]  # crowded ones fall out below
    for onset_s in onsets[np.sort(keep)]:
        duration_s = float(np.clip(10 + rng.gamma(2.0, 6.0), 10, 50))
        if onset_s < busy_until or onset_s + duration_s + 45 > len(stage) / TRUTH_HZ or placed == wanted:
            continue
        onset_s = round(float(onset_s), 1)
        kind = str(rng.choice(kinds, p=(0.6, 0.28, 0.08, 0.04)))
        events.append(Event(onset_s, round(duration_s, 1), kind))
        events.append(Event(round(onset_s + 8, 1), round(duration_s + 6, 1), "desaturation"))
        busy_until, placed = onset_s + duration_s + 12, placed + 1
    return events


def _arousals(stage: StageArray, breathing: list[Event], expected: Norms, rng: np.random.Generator) -> list[Event]:
    """Place arousals of 3 to 15 s: spontaneous ones, and one after most respiratory events."""
    asleep = stage != W
    count = rng.poisson(expected.arousals_per_h * np.count_nonzero(asleep) / TRUTH_HZ / 3600)
    onsets = list(rng.choice(np.flatnonzero(asleep), size=count) / TRUTH_HZ) if count else []
    ends = [e.onset_s + e.duration_s for e in breathing if e.kind != "desaturation"]
    onsets += [end - 0.5 for end in ends if rng.random() < expected.arousing]
    arousals: list[Event] = []
    free_from = 0.0
    for onset_s in np.sort(onsets):
        duration_s = float(np.clip(3 + rng.gamma(1.6, 2.6), 3, 15))
        before = slice(max(0, int((onset_s - 10) * TRUTH_HZ)), int(onset_s * TRUTH_HZ))
        fits = onset_s > free_from and onset_s + duration_s < len(stage) / TRUTH_HZ
        if fits and asleep[before].all():  # 10 s of sleep before, as the AASM rule asks
            arousals.append(Event(round(float(onset_s), 2), round(duration_s, 2), "arousal"))
            free_from = onset_s + duration_s + 10
    return arousals


def expert_stages(night: Truth, noise: float, rng: np.random.Generator, offset_s: float = 0.0) -> StageArray:
    """Score a night as an expert would: the majority stage of each 30-s epoch, with human doubt.

    Parameters
    ----------
    noise : float
        Probability, scaled by `SLIP`, that an epoch is called by another stage; on top of that an epoch whose
        majority is below two thirds goes to its second stage a third of the time.
    offset_s : float
        Where the expert's first epoch begins; what is left at the end and fills no epoch is not scored.

    Returns
    -------
    ndarray of uint8, shape (epoch,)
    """
    stage = night.stage[int(round(offset_s * TRUTH_HZ)) :]
    counts = _counts(stage)
    first = counts.argmax(1)
    without_first = counts.copy()
    without_first[np.arange(len(first)), first] = -1
    second = without_first.argmax(1)
    share = counts.max(1) / (EPOCH_S * TRUTH_HZ)
    doubt = rng.random(len(first))
    scored = np.where((share < 2 / 3) & (doubt < 1 / 3), second, first)
    for code, (factor, others) in SLIP.items():
        slip = (scored == code) & (rng.random(len(first)) < factor * noise)
        scored = np.where(slip, -1 - rng.choice(others, len(first)), scored)  # negative: not to slip twice
    return np.where(scored < 0, -1 - scored, scored).astype(np.uint8)


def poisson_onsets(per_min: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw sorted onsets, s, of a Poisson process whose rate, 1/min, is given per truth sample."""
    expected = np.cumsum(per_min) / 60 / TRUTH_HZ
    count = rng.poisson(expected[-1])
    return np.sort(np.searchsorted(expected, rng.uniform(0, expected[-1], count)) / TRUTH_HZ)

"""Mechanisms of the ground truth: each acts where it is switched on, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hypnoflow.config.simulate import Effects
from hypnoflow.night.truth import Truth
from hypnoflow.seeds import generator
from hypnoflow.simulate.effects import site_noise
from hypnoflow.simulate.night import draw_night, majority, norms
from hypnoflow.simulate.persons import Person, Population, draw_person

EVERYBODY = Population((20, 80), 0.5, 6.0, 0.8)
NOTHING = Effects(age="none", sex="none", apnea="none")


def person(age_y: float = 50.0, male: bool = True, ahi_per_h: float = 10.0, number: int = 0) -> Person:
    drawn = draw_person(EVERYBODY, number, generator(4, "person", number))
    return replace(drawn, age_y=age_y, male=male, ahi_per_h=ahi_per_h, arousability=1.0)


def night(who: Person, effects: Effects, seed: int = 1) -> Truth:
    return draw_night(who, 6 * 3600, generator(seed, "night"), effects)


def arousals(which: Truth) -> int:
    return sum(event.kind == "arousal" for event in which.events)


def test_defaults_are_the_published_norms() -> None:
    found = norms(person(60.0, True, 20.0))
    assert found.latency_min == pytest.approx(11 + 4 * 1.4)
    assert found.waso_per_h_min == pytest.approx((16 + 4 * 11.5 + 20 * 0.25) / 8)
    assert found.awakening_min == pytest.approx(2.5 + 4 * 0.6)
    assert found.arousals_per_h == pytest.approx(6 + 4 * 1.9 + 3)
    assert found.deep == pytest.approx(0.6 - 4 * 0.04 - 20 * 0.003)
    assert norms(person(60.0, False, 20.0)).deep == pytest.approx(found.deep + 0.08)
    assert found.arousing == 0.65


@pytest.mark.parametrize("seed", range(4))
def test_age_on_microstructure_leaves_the_30_s_hypnogram(seed: int) -> None:
    micro = NOTHING.model_copy(update={"age": "micro"})
    young, old = (night(person(age_y), micro, seed) for age_y in (22.0, 78.0))
    np.testing.assert_array_equal(majority(young.stage), majority(old.stage))
    assert arousals(old) > arousals(young) + 20  # 5.6 decades of 1.9 /h in about five hours of sleep, some crowded out


@pytest.mark.parametrize("seed", range(4))
def test_apnea_on_microstructure_leaves_the_30_s_hypnogram(seed: int) -> None:
    micro = NOTHING.model_copy(update={"apnea": "micro"})
    well, sick = (night(person(ahi_per_h=ahi), micro, seed) for ahi in (0.2, 40.0))
    np.testing.assert_array_equal(majority(well.stage), majority(sick.stage))
    assert arousals(sick) > arousals(well) + 20


def test_age_on_macrostructure_moves_no_arousal_rate() -> None:
    macro = NOTHING.model_copy(update={"age": "macro"})
    young, old = (norms(person(age_y), macro) for age_y in (22.0, 78.0))
    assert old.arousals_per_h == young.arousals_per_h
    assert old.waso_per_h_min > young.waso_per_h_min and old.deep < young.deep
    assert old.latency_min > young.latency_min and old.awakening_min > young.awakening_min


def test_nothing_switched_on_makes_all_persons_sleep_alike() -> None:
    one, other = (night(person(age_y, male), NOTHING) for age_y, male in ((22.0, False), (78.0, True)))
    np.testing.assert_array_equal(one.stage, other.stage)
    assert one.events == other.events


def test_apnea_that_wakes_nobody_still_stops_the_breath() -> None:
    sick = night(person(ahi_per_h=40.0), NOTHING)
    assert sum(event.kind.startswith(("apnea", "hypopnea")) for event in sick.events) > 50
    assert norms(person(ahi_per_h=40.0), NOTHING).arousing == 0


def test_events_of_arousals_left_out_are_left_out_too() -> None:
    found = night(person(78.0), NOTHING.model_copy(update={"age": "micro"}))
    for event in found.events:
        if event.kind == "arousal":
            start, stop = (int(round(t * 8)) for t in (event.onset_s, event.onset_s + event.duration_s))
            assert (found.stage[start : stop - 1] == 0).all()


@pytest.mark.parametrize("acts, moved", [("both", True), ("macro", True), ("micro", False), ("none", False)])
def test_slow_waves_follow_age_only_with_the_macrostructure(acts: str, moved: bool) -> None:
    effects = Effects(age=acts, sex="none")
    delta = [
        draw_person(Population((age, age), 0.5, 6.0, 0.8), 0, generator(2, "p"), effects).delta for age in (25, 75)
    ]
    assert (delta[1] < delta[0]) == moved
    assert moved or delta[0] == delta[1]


def test_site_noise_is_one_factor_per_cohort() -> None:
    assert site_noise(Effects(), "a", 1) == 1.0
    noisy = Effects(site_noise=0.5)
    assert site_noise(noisy, "a", 1) == site_noise(noisy, "a", 1) != site_noise(noisy, "b", 1)
    logs = np.log([site_noise(noisy, f"site {k}", 1) for k in range(400)])
    assert logs.mean() == pytest.approx(0, abs=4 * 0.5 / 20)
    assert logs.std() == pytest.approx(0.5, rel=0.15)

"""The hidden truth of simulated nights against the literature (norms.md) and against its own rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hypnoflow.night.truth import TRUTH_HZ, Truth
from hypnoflow.seeds import generator
from hypnoflow.simulate.dialects import dialects
from hypnoflow.simulate.night import draw_night, expert_stages, poisson_onsets
from hypnoflow.simulate.persons import Person, draw_person
from hypnoflow.types import Event

N_NIGHTS = 400
W, N1, N2, N3, R = range(5)

# Boulos et al. 2019, doi 10.1016/S2213-2600(19)30057-8: change per decade of age in healthy adults, 95 % CI.
PER_DECADE = {
    "tst_min": (-12.8, -7.5),
    "efficiency_percent": (-2.6, -1.5),
    "waso_min": (6.9, 12.4),
    "latency_min": (0.3, 1.9),
    "arousals_per_h": (1.5, 2.6),
    "ahi_per_h": (0.9, 1.4),
}


@pytest.fixture(scope="module")
def nights() -> list[tuple[Person, Truth]]:
    """Eight-hour nights of the healthy cohort's population."""
    drawn = []
    for number in range(N_NIGHTS):
        rng = generator(7, "test", number)
        person = draw_person(dialects.get("sedf-sc").population, number, rng)
        drawn.append((person, draw_night(person, 8 * 3600, rng)))
    return drawn


def majority(stage: np.ndarray, seconds: int) -> np.ndarray:
    """Score by the most frequent stage of each stretch, as human 30-s and 5-s scoring both do."""
    parts = stage.reshape(-1, seconds * TRUTH_HZ)
    return np.stack([(parts == code).sum(1) for code in range(5)]).argmax(0)


def measures(night: Truth) -> dict[str, float]:
    """Read a night as a sleep laboratory does: 30-s epochs, AASM definitions."""
    epochs = majority(night.stage, 30)
    asleep = epochs != W
    tst_min, onset = asleep.sum() / 2, int(asleep.argmax())
    kinds = [event.kind for event in night.events]
    breathing = sum(kind == "hypopnea" or kind.startswith("apnea") for kind in kinds)
    return {
        "tst_min": tst_min,
        "efficiency_percent": 100 * asleep.mean(),
        "waso_min": (~asleep[onset:]).sum() / 2,
        "latency_min": onset / 2,
        "arousals_per_h": kinds.count("arousal") / tst_min * 60,
        "ahi_per_h": breathing / tst_min * 60,
    }


@pytest.mark.parametrize("measure", PER_DECADE)
def test_change_per_decade_of_age_lies_in_the_published_interval(nights, measure):
    decades = np.array([person.age_y / 10 for person, _ in nights])
    slope = np.polyfit(decades, [measures(night)[measure] for _, night in nights], 1)[0]
    low, high = PER_DECADE[measure]
    assert low <= slope <= high


def transitions_per_min(stage: np.ndarray, seconds: int) -> float:
    return np.count_nonzero(np.diff(majority(stage, seconds))) / (len(stage) / TRUTH_HZ / 60)


def test_scoring_at_5_s_changes_stage_as_often_as_human_mini_epochs(nights):
    """PMID 41384756: 1.70 transitions per minute at 5 s, 0.21 at 30 s."""
    fine = np.mean([transitions_per_min(night.stage, 5) for _, night in nights])
    coarse = np.mean([transitions_per_min(night.stage, 30) for _, night in nights])
    assert 1.2 < fine < 2.2
    assert fine > 4 * coarse


def events(nights, *prefixes: str) -> list[tuple[Truth, Event]]:
    return [(night, e) for _, night in nights for e in night.events if e.kind.startswith(prefixes)]


def test_arousals_last_3_to_15_s(nights):
    durations = [e.duration_s for _, e in events(nights, "arousal")]
    assert len(durations) > 1000
    assert min(durations) >= 3 - 0.005
    assert max(durations) <= 15 + 0.005


def test_arousals_are_wake_in_the_truth(nights):
    for night, e in events(nights, "arousal"):
        inside = slice(int(np.ceil(e.onset_s * TRUTH_HZ)), int((e.onset_s + e.duration_s) * TRUTH_HZ) - 1)
        assert (night.stage[inside] == W).all()


def test_arousals_have_10_s_of_sleep_before(nights):
    for night, e in events(nights, "arousal"):
        assert e.onset_s > 10
        before = slice(int((e.onset_s - 10) * TRUTH_HZ) + 1, int(e.onset_s * TRUTH_HZ))
        assert (night.stage[before] != W).all()


def test_apneas_and_hypopneas_last_10_to_50_s(nights):
    durations = [e.duration_s for _, e in events(nights, "apnea", "hypopnea")]
    assert len(durations) > 1000
    assert min(durations) >= 10
    assert max(durations) <= 50


def test_apneas_and_hypopneas_begin_in_sleep(nights):
    for night, e in events(nights, "apnea", "hypopnea"):
        arousals = [a for a in night.events if a.kind == "arousal"]
        in_arousal = any(a.onset_s - 0.2 <= e.onset_s <= a.onset_s + a.duration_s + 0.2 for a in arousals)
        assert in_arousal or night.stage[int(round(e.onset_s * TRUTH_HZ))] != W


def test_each_apnea_and_hypopnea_has_one_desaturation_that_begins_in_it_or_soon_after(nights):
    for _, night in nights[:100]:
        breathing = sorted(e.onset_s for e in night.events if e.kind.startswith(("apnea", "hypopnea")))
        dips = sorted(e.onset_s for e in night.events if e.kind == "desaturation")
        assert len(breathing) == len(dips)
        assert all(0 < dip - onset < 45 for onset, dip in zip(breathing, dips, strict=True))


def test_breathing_events_do_not_overlap(nights):
    for _, night in nights:
        spans = [(e.onset_s, e.duration_s) for e in night.events if e.kind.startswith(("apnea", "hypopnea"))]
        assert all(a + d <= b for (a, d), (b, _) in zip(spans, spans[1:], strict=False))


def test_events_come_in_order_and_lie_inside_the_night(nights):
    for _, night in nights:
        onsets = [e.onset_s for e in night.events]
        assert onsets == sorted(onsets)
        assert all(e.onset_s >= 0 and e.onset_s + e.duration_s <= night.duration_s for e in night.events)


def test_drawn_apnea_index_is_kept_on_average(nights):
    wanted = np.mean([person.ahi_per_h for person, _ in nights])
    got = np.mean([measures(night)["ahi_per_h"] for _, night in nights])
    assert got == pytest.approx(wanted, rel=0.1)


def test_higher_apnea_index_gives_more_arousals_and_less_deep_sleep(nights):
    def mean_night(ahi: float) -> tuple[float, float]:
        drawn = []
        for number in range(25):
            person = replace(nights[number][0], ahi_per_h=ahi)
            drawn.append(draw_night(person, 8 * 3600, generator(7, "apnea", number)))
        arousals = np.mean([measures(night)["arousals_per_h"] for night in drawn])
        return float(arousals), float(np.mean([np.mean(night.stage == N3) for night in drawn]))

    (few, deep), (many, shallow) = mean_night(1), mean_night(40)
    assert many > few + 10
    assert shallow < deep


def test_night_is_rounded_to_whole_epochs(nights):
    night = draw_night(nights[0][0], 1000.0, generator(7, "short"))
    assert night.duration_s == 990
    assert len(night.stage) == 990 * TRUTH_HZ


def test_same_seed_gives_the_same_night(nights):
    person = nights[0][0]
    one, two, other = (draw_night(person, 3600, generator(seed, "n")) for seed in (1, 1, 2))
    assert np.array_equal(one.stage, two.stage)
    assert one.events == two.events
    assert not np.array_equal(one.stage, other.stage)


# --- experts -------------------------------------------------------------------------------------------------


def night_of(*epochs: list[tuple[int, int]]) -> Truth:
    """Make a night of epochs, each a list of (stage, seconds)."""
    parts = [np.full(seconds * TRUTH_HZ, stage, np.uint8) for epoch in epochs for stage, seconds in epoch]
    return Truth(np.concatenate(parts), ())


def test_expert_without_noise_writes_the_stage_of_most_of_the_epoch(rng):
    night = night_of([(W, 30)], [(N2, 21), (W, 9)], [(R, 4), (N3, 22), (R, 4)], [(N1, 5), (R, 25)], [(N1, 30)])
    assert expert_stages(night, 0, rng).tolist() == [W, N2, N3, R, N1]


def test_expert_calls_an_unclear_epoch_by_its_second_stage_a_third_of_the_time(rng):
    stages = expert_stages(night_of(*[[(N1, 13), (N2, 17)]] * 3000), 0, rng)
    assert set(stages.tolist()) == {N1, N2}
    assert np.mean(stages == N1) == pytest.approx(1 / 3, abs=0.04)  # SD 0.0086


@pytest.mark.parametrize("stage, share", [(W, 0.05), (N1, 0.2), (N2, 0.06), (N3, 0.1), (R, 0.06)])
def test_expert_errs_twice_as_often_in_n1_and_half_as_often_in_wake(rng, stage, share):
    stages = expert_stages(night_of(*[[(stage, 30)]] * 4000), 0.1, rng)
    assert np.mean(stages != stage) == pytest.approx(share, abs=0.03)  # SD at most 0.0063


def test_disagreement_of_experts_grows_with_noise(nights):
    def disagreement(noise: float) -> float:
        pairs = [
            [expert_stages(n, noise, generator(k, "e", i)) for k in (1, 2)] for i, (_, n) in enumerate(nights[:20])
        ]
        return float(np.mean([np.mean(a != b) for a, b in pairs]))

    none, some, much = (disagreement(noise) for noise in (0.0, 0.06, 0.2))
    assert none < some - 0.03
    assert some < much - 0.05


def test_poisson_onsets_follow_their_rate(rng):
    per_min = np.repeat([0.0, 30.0], 3600 * TRUTH_HZ)
    onsets = poisson_onsets(per_min, rng)
    assert len(onsets) == pytest.approx(1800, abs=5 * np.sqrt(1800))
    assert (np.diff(onsets) >= 0).all()
    assert onsets.min() >= 3600 - 1

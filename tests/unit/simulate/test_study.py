"""Studies without signals: what is read is the truth at each resolution, and persons belong together as drawn."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hypnoflow.config.features import Features
from hypnoflow.features.rows import recording_features
from hypnoflow.night.truth import Truth
from hypnoflow.seeds import generator
from hypnoflow.simulate.night import draw_night, majority
from hypnoflow.simulate.persons import Population, draw_person
from hypnoflow.simulate.study import STUDY_RESOLUTIONS, Design, Site, draw_study, read_night
from hypnoflow.types import RESOLUTIONS

POPULATION = Population((20, 80), 0.5, 6.0, 0.8)
SHORT = Design(night_h=(0.25, 0.5), resolutions=(1, 4))


@pytest.fixture(scope="module")
def night() -> Truth:
    person = draw_person(POPULATION, 0, generator(3, "person"))
    return draw_night(person, 2 * 3600, generator(3, "night"))


def step_by_hand(stage: np.ndarray, start: Fraction, stop: Fraction) -> int:
    """Return the stage that fills most of a step whose ends, in samples, need not be whole."""
    share = [Fraction(0)] * 5
    for sample in range(int(start), min(int(stop) + 1, len(stage))):
        share[stage[sample]] += max(Fraction(0), min(stop, Fraction(sample + 1)) - max(start, Fraction(sample)))
    return int(np.argmax(share))


@pytest.mark.parametrize("f", [1, 2, 4, 8, 16, 32, 64, 128])
def test_without_noise_a_step_is_the_stage_that_fills_most_of_it(night: Truth, f: int) -> None:
    epochs = 20
    part = Truth(night.stage[240 * 60 : 240 * (60 + epochs)], ())
    found = read_night(part, 0.0, generator(0), (f,)).stage[f]
    ends = [Fraction(240 * k, f) for k in range(epochs * f + 1)]
    expected = [step_by_hand(part.stage, a, b) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("f", [f for f in RESOLUTIONS if f > 240])
def test_steps_below_an_eighth_of_a_second_repeat_the_truth(night: Truth, f: int) -> None:
    found = read_night(night, 0.0, generator(0), (f,)).stage[f]
    middle_s = (np.arange(len(found)) + 0.5) * 30 / f
    np.testing.assert_array_equal(found, night.stage[np.floor(middle_s * 8 + 1e-9).astype(int)])


def test_without_noise_30_s_is_the_majority(night: Truth) -> None:
    np.testing.assert_array_equal(read_night(night, 0.0, generator(0)).stage[1], majority(night.stage))


def test_noise_blurs_both_scales_and_more_of_it_more(night: Truth) -> None:
    wrong = []
    for noise in (0.5, 1.0, 2.0):
        scores = read_night(night, noise, generator(1))
        fine = read_night(night, 0.0, generator(1)).stage[128]
        wrong.append([np.mean(scores.stage[1] != majority(night.stage)), np.mean(scores.stage[128] != fine)])
    assert (np.diff(wrong, axis=0) > 0).all()
    assert wrong[1][0] < 0.15


def test_hypnodensity_is_a_distribution_with_a_row_per_second(night: Truth) -> None:
    scores = read_night(night, 1.0, generator(1))
    assert scores.probability.shape == (len(night.stage) // 8, 5) and scores.steps_per_epoch == 30
    np.testing.assert_allclose(scores.probability.sum(1), 1, atol=1e-5)


def test_every_resolution_has_features(night: Truth) -> None:
    rows = recording_features(read_night(night, 1.0, generator(1)), Features())
    assert [row["steps_per_epoch"] for row in rows] == list(STUDY_RESOLUTIONS)


def test_families_and_visits() -> None:
    design = Design(night_h=(0.25, 0.25), repeat_persons=0.3, siblings=0.2)
    table = draw_study([Site("a", 300), Site("b", 200)], design=design, seed=1).manifest
    persons = table.drop_duplicates(["cohort", "person"])
    assert len(persons) == 500 and not table.duplicated(["cohort", "recording"]).any()
    visits = table.groupby(["cohort", "person"]).size()
    assert set(visits) == {1, 2} and (visits == 2).mean() == pytest.approx(0.3, abs=0.08)
    assert table.groupby(["cohort", "person"])[["age_y", "ahi_per_h", "group"]].nunique().eq(1).all().all()
    families = persons.groupby(["cohort", "group"])["age_y"]
    assert 1 - len(families) / 500 == pytest.approx(0.2, abs=0.08)
    assert families.std().median() < 6 < persons["age_y"].std()  # siblings are of about one age


def test_a_recording_depends_on_nobody_else() -> None:
    small, large = (draw_study([Site("a", n)], design=SHORT, seed=5) for n in (3, 6))
    of_large = {row["recording"]: scores for row, scores in large.scores()}
    for row, scores in small.scores():
        np.testing.assert_array_equal(scores.stage[4], of_large[row["recording"]].stage[4])


def test_a_site_changes_the_reading_and_not_the_sleep() -> None:
    quiet, loud = (draw_study([Site("a", 4, noise=noise)], design=SHORT, seed=5) for noise in (0.0, 1.5))
    assert quiet.manifest.equals(loud.manifest)
    for (_, plain), (_, blurred) in zip(quiet.scores(), loud.scores(), strict=True):
        assert len(plain.stage[4]) == len(blurred.stage[4])
        assert np.count_nonzero(np.diff(blurred.stage[4])) > np.count_nonzero(np.diff(plain.stage[4]))

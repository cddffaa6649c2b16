"""A short version of the bench of studies: an effect below 30 s is found, one that is not there is not claimed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench.study_analysis import OPTIONS, analyse, cross_validate
from tests.bench.study_pool import draw_pool, draw_study_of, of_each_resolution, shuffled

from hypnoflow.config.simulate import Effects
from hypnoflow.predict.cohorts import association
from hypnoflow.predict.controls import predict_cohort
from hypnoflow.predict.losses import BEST
from hypnoflow.predict.persons import People
from hypnoflow.seeds import generator
from hypnoflow.simulate.persons import Population
from hypnoflow.simulate.study import Design, Site

SHORT = Design(night_h=(2.5, 3.0), repeat_persons=0.1, resolutions=(1, 4, 64))
MICRO = Effects(age="micro", sex="none", apnea="none")


@pytest.fixture(scope="module")
def pool() -> People:
    young_and_old = Population((20, 80), 0.5, 6.0, 0.8)
    return draw_pool([Site("a", 70, young_and_old), Site("b", 70, young_and_old)], MICRO, SHORT, seed=7)


def test_an_effect_below_30_s_is_found(pool: People) -> None:
    study = cross_validate(pool, np.ones(len(pool.table), bool), seed=7)
    found = analyse(study, generator(7, "study"))
    assert found["better"] and found["high"] < 0


def test_no_effect_is_not_claimed(pool: People) -> None:
    claims = rejects = covered = 0
    for k in range(12):
        rng = generator(7, "null", k)
        each = shuffled(pool, rng)
        study = cross_validate(each, draw_study_of(each, 80, rng), seed=k)
        found, named = analyse(study, rng), analyse(study, rng, condition="64")
        claims, rejects = claims + found["better"], rejects + (found["p"] <= 0.05)
        covered += named["low"] <= named["true"] <= named["high"]
    assert claims <= 1 and rejects <= 2  # more than 2 of 12 at 5 %: 2 %
    assert covered >= 10  # fewer of 12 at 95 %: 2 %


def test_an_effect_on_the_macrostructure_is_not_claimed_to_need_fine_staging() -> None:
    both = [Site("a", 60), Site("b", 60)]
    macro = draw_pool(both, Effects(age="macro", sex="none", apnea="none"), SHORT, seed=8)
    found = analyse(cross_validate(macro, np.ones(len(macro.table), bool), seed=8), generator(8, "study"))
    assert found["skill"] > 0.05  # there is something to predict
    assert not found["better"]


def test_a_site_that_mimics_disease_is_flagged_and_its_predictions_say_nothing_within_cohorts() -> None:
    healthy, sick = Population((20, 80), 0.5, 3.0, 0.7), Population((20, 80), 0.5, 16.0, 0.7)
    sites = [Site("quiet", 60, healthy), Site("noisy", 60, sick, noise=1.4)]
    nothing = Effects(age="none", sex="none", apnea="none")
    pool = draw_pool(sites, nothing, SHORT, target="log_ahi", seed=9)
    everybody = np.ones(len(pool.table), bool)
    study = cross_validate(pool, everybody, seed=9)
    assert analyse(study, generator(9, "study"))["skill"] > 0.1  # it looks like a biomarker
    control = predict_cohort(of_each_resolution(pool, everybody), OPTIONS.compare, seed=9)
    assert control["flag"]
    within = association(study.found, BEST, 0.95)
    assert within["low"] < 0 < within["high"]

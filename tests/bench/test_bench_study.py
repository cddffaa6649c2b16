"""Does the comparison with 30 s say what is true? Rates over many simulated studies, through the shipped code.

The true difference of a study is that of the models which this study made, in new persons: the rest of the pool. Where
the training persons keep 30 s in every fold the difference is exactly 0, known without error, so that intervals of
"best" cover more often than they say where there is no effect; a resolution named beforehand shows the interval itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from tests.bench.study_analysis import OPTIONS, Study, analyse, cross_validate
from tests.bench.study_pool import draw_pool, draw_study_of, of_each_resolution, shuffled

from hypnoflow.config.simulate import Effects
from hypnoflow.predict import learners, validate
from hypnoflow.predict.cohorts import association, mixed_effects
from hypnoflow.predict.controls import predict_cohort
from hypnoflow.predict.losses import BEST
from hypnoflow.predict.persons import People
from hypnoflow.seeds import derive_seed, generator
from hypnoflow.simulate.persons import Population
from hypnoflow.simulate.study import Site

SEED = 4051
PERSONS = 180  # of a study with an effect: the n at which a gain below 30 s must be found
FEW = 100  # of a study without
NOTHING = Effects(age="none", sex="none", apnea="none")
NAMED = "16"  # 1.9 s, a resolution named beforehand


def two_sites(persons: int) -> list[Site]:
    return [Site("a", persons // 2), Site("b", persons - persons // 2)]


@pytest.fixture(scope="module")
def idle() -> People:
    return draw_pool(two_sites(700), NOTHING, seed=SEED)


@pytest.fixture(scope="module")
def micro() -> People:
    return draw_pool(two_sites(800), NOTHING.model_copy(update={"age": "micro"}), seed=SEED + 1)


@pytest.fixture(scope="module")
def macro() -> People:
    return draw_pool(two_sites(800), NOTHING.model_copy(update={"age": "macro"}), seed=SEED + 2)


def studies(pool: People, number: int, persons: int, *, null: bool = False) -> Iterator[tuple[Study, np.ndarray]]:
    """Yield cross-validated studies of one pool, and who was in each."""
    for k in range(number):
        rng = generator(SEED, "bench study", k)
        each = shuffled(pool, rng) if null else pool
        inside = draw_study_of(each, persons, rng)
        yield cross_validate(each, inside, seed=derive_seed(SEED, "bench study", k)), inside


def rates(found: pd.DataFrame, what: str) -> dict[str, float]:
    """Return and print how often a study rejects, claims a gain, and covers its truth."""
    measured = {
        "rejects": float((found["p"] <= 0.05).mean()),
        "claims a gain": float(found["better"].mean()),
        "covers": float(found["true"].between(found["low"] - 1e-9, found["high"] + 1e-9).mean()),
    }
    numbers = ", ".join(f"{key} {value:.3f}" for key, value in measured.items())
    print(
        f"\n{what}, {len(found)} studies: {numbers}; true {found['true'].mean():+.3f}, found "
        f"{found['difference'].mean():+.3f} RMSE, skill {found['skill'].mean():+.2f}, 30 s kept in "
        f"{found['stayed'].mean():.2f} of folds",
        end="",
        flush=True,
    )
    return measured


def test_no_effect_is_not_claimed_and_intervals_cover(idle: People) -> None:
    best, named, plain = [], [], []
    for k, (study, _) in enumerate(studies(idle, 200, FEW, null=True)):
        best.append(analyse(study, generator(SEED, "primary", k)))
        named.append(analyse(study, generator(SEED, "named", k), condition=NAMED))
        plain.append(analyse(study, generator(SEED, "named", k), condition=NAMED, corrected=False))
    found = rates(pd.DataFrame(best), "no effect, primary test; rejects <= 0.08, covers >= 0.92")
    beforehand = rates(pd.DataFrame(named), "no effect, 1.9 s against 30 s; covers 0.92 to 0.98")
    uncorrected = rates(pd.DataFrame(plain), "the same, persons taken as independent; covers less")
    assert found["rejects"] <= 0.08 and found["covers"] >= 0.92
    assert beforehand["rejects"] <= 0.08 and 0.92 <= beforehand["covers"] <= 0.98
    assert uncorrected["covers"] < beforehand["covers"]


def test_effect_below_30_s_is_found(micro: People) -> None:
    both = [
        (analyse(study, generator(SEED, "primary", k)), analyse(study, generator(SEED, "named", k), condition=NAMED))
        for k, (study, _) in enumerate(studies(micro, 60, PERSONS))
    ]
    found = rates(pd.DataFrame([a for a, _ in both]), f"age in arousals only, {PERSONS} persons; gain >= 0.8")
    rates(pd.DataFrame([b for _, b in both]), "the same, 1.9 s against 30 s")
    assert found["claims a gain"] >= 0.8 and found["covers"] >= 0.9


def test_apnea_arousals_below_30_s_are_found() -> None:
    pool = draw_pool(two_sites(500), NOTHING.model_copy(update={"apnea": "micro"}), target="log_ahi", seed=SEED + 4)
    rows = [analyse(s, generator(SEED, "apnea", k)) for k, (s, _) in enumerate(studies(pool, 30, 120))]
    found = rates(pd.DataFrame(rows), "apnea in arousals only, 120 persons, log AHI; gain >= 0.8")
    assert found["claims a gain"] >= 0.8


def test_effect_on_the_macrostructure_is_not_claimed(macro: People) -> None:
    both = [
        (analyse(study, generator(SEED, "primary", k)), analyse(study, generator(SEED, "named", k), condition=NAMED))
        for k, (study, _) in enumerate(studies(macro, 60, PERSONS))
    ]
    found = rates(pd.DataFrame([a for a, _ in both]), "age in the macrostructure only; gain <= 0.08")
    rates(pd.DataFrame([b for _, b in both]), "the same, 1.9 s against 30 s")
    assert found["claims a gain"] <= 0.08 and found["covers"] >= 0.9


def test_least_inner_error_without_a_margin_is_harmful_without_effect(
    idle: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason for both margins: the least of many inner errors is the luckiest, and truly worse in new persons."""
    monkeypatch.setattr(validate, "SWITCH_SE", 0.0)
    monkeypatch.setattr(learners, "standard_error", lambda values, group: np.zeros(values.shape[1]))
    rows = [analyse(s, generator(SEED, "argmin", k)) for k, (s, _) in enumerate(studies(idle, 40, FEW, null=True))]
    rates(pd.DataFrame(rows), "no effect, least inner errors taken; truly worse")
    assert pd.DataFrame(rows)["true"].mean() > 0.1


def mimicking_sites(persons: int) -> list[Site]:
    """Return four cohorts: two have the noisier recorder and the sicker persons, for no reason in their sleep."""
    healthy, sick = Population((20, 80), 0.5, 3.0, 0.7), Population((20, 80), 0.5, 16.0, 0.7)
    quiet = [Site(name, persons // 4, healthy) for name in ("a", "b")]
    return [*quiet, *(Site(name, persons // 4, sick, noise=1.4) for name in ("c", "d"))]


def test_site_that_mimics_disease_is_flagged_and_gone_within_cohorts() -> None:
    pool = draw_pool(mimicking_sites(400), NOTHING, target="log_ahi", seed=SEED + 3)
    rows = []
    for k, (study, inside) in enumerate(studies(pool, 40, FEW)):
        within = association(study.found, BEST, OPTIONS.compare.resampling.confidence)
        gain = mixed_effects(study.found, OPTIONS.compare)["difference_within"]
        control = predict_cohort(of_each_resolution(pool, inside), OPTIONS.compare, seed=k)
        pooled = analyse(study, generator(SEED, "site", k))
        best = max(row["balanced_accuracy"] for row in control["rows"])
        about = {"flag": control["flag"], "accuracy": best, "slope": within["estimate"], "p": within["p"]}
        claimed = gain["p"] is not None and gain["p"] <= 0.05 and gain["estimate"] < 0  # none: 30 s kept throughout
        rows.append({**pooled, **about, "gain within": claimed})
    found = pd.DataFrame(rows)
    print(
        f"\nsite mimics disease, {len(found)} studies: pooled skill {found['skill'].mean():+.3f}; balanced accuracy of "
        f"telling cohorts apart {found['accuracy'].mean():.2f}, flagged in {found['flag'].mean():.2f}; slope within "
        f"cohorts {found['slope'].mean():+.3f}, p <= 0.05 in {(found['p'] <= 0.05).mean():.3f}, "
        f"gain of best within cohorts claimed in {found['gain within'].mean():.3f}",
        end="",
    )
    assert found["skill"].mean() > 0.1  # it looks like a biomarker
    assert found["flag"].all()  # and the negative control says in every study why
    assert abs(found["slope"].mean()) < 0.1 and (found["p"] <= 0.05).mean() <= 0.1
    assert found["gain within"].mean() <= 0.08


def test_the_pool_itself_is_as_it_should_be(idle: People) -> None:
    mixed = shuffled(idle, generator(SEED, "shuffle"))
    assert sorted(mixed.y) == sorted(idle.y)
    assert abs(np.corrcoef(mixed.y, idle.y)[0, 1]) < 0.2
    inside = draw_study_of(idle, FEW, generator(SEED, "split"))
    assert FEW <= inside.sum() <= FEW + 4 and not set(idle.group[inside]) & set(idle.group[~inside])

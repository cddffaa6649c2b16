"""The primary test and its sentence, over every way that it can come out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tests.comparisons import FAST, out_of_fold

from hypnoflow.config.compare import Comparison, Resampling
from hypnoflow.predict.losses import Asked, out_of_fold_of
from hypnoflow.predict.primary import BETTER, NO_EVIDENCE, NOT_MADE, TOO_FEW, WORSE, primary_test, verdict
from hypnoflow.predict.sentence import cautions, p_text, primary_sentence


def study(shift, n=80, seed=1, **columns):
    """Ages whose error at 30 s has SD 6, and `shift` times that at the best resolution."""
    rng = np.random.default_rng(seed)
    y, error = rng.uniform(20, 80, n), rng.normal(0, 6, n)
    return out_of_fold(y, {"1": y + error, "best": y + shift * error + rng.normal(0, 0.5, n)}, **columns)


def run(table, options=FAST, is_class=False, target="age", unit="years"):
    asked = Asked(options.scheme, options.learner, is_class, target, unit)
    return primary_test(out_of_fold_of(table, asked), options, seed=7)


@pytest.mark.parametrize(("shift", "wanted"), [(0.6, BETTER), (1.5, WORSE), (1.0, NO_EVIDENCE)])
def test_verdict_follows_the_sign_of_a_clear_difference(shift, wanted):
    found = run(study(shift))
    assert found["verdict"] == wanted
    assert (found["persons"], found["groups"], found["cohorts"]) == (80, 80, 1)
    assert (found["p"] < 0.05) == (wanted != NO_EVIDENCE)
    assert found["low"] <= found["difference"] <= found["high"]


@pytest.mark.parametrize(("n", "few"), [(19, True), (20, False)])
def test_fewer_groups_than_asked_make_no_claim(n, few):
    found = run(study(0.5, n))
    assert (found["verdict"] == TOO_FEW) == few
    assert (found["p"] is None) == few
    assert (found["low"] is None) == few


def test_groups_and_not_persons_are_counted():
    found = run(study(0.5, 30, group=np.repeat(np.arange(15), 2).astype(str)))
    assert (found["persons"], found["groups"], found["verdict"]) == (30, 15, TOO_FEW)


def test_table_without_a_best_resolution_makes_no_claim():
    table = study(0.5)
    found = run(table[table["condition"] != "best"])
    assert (found["verdict"], found["p"], found["persons"]) == (NOT_MADE, None, 0)
    assert primary_sentence(found, simulated=False) == (
        "Whether staging below 30 s predicts age better than 30-s staging cannot be said: regularised linear models "
        "(cross-validated by person) made no predictions at 30 s or at the best resolution."
    )


def test_only_the_configured_learner_and_scheme_are_tested():
    table = pd.concat([study(1.0), study(0.5, learner="forest"), study(1.5, scheme="leave_one_cohort_out")])
    assert run(table)["verdict"] == NO_EVIDENCE
    assert run(table, FAST.model_copy(update={"learner": "forest"}))["verdict"] == BETTER
    assert run(table, FAST.model_copy(update={"scheme": "leave_one_cohort_out"}))["verdict"] == WORSE


def test_identical_predictions_are_no_evidence_with_p_one():
    y = np.arange(40.0)
    found = run(out_of_fold(y, {"1": y + 1, "best": y + 1}))
    assert (found["verdict"], found["p"], found["difference"]) == (NO_EVIDENCE, 1.0, 0.0)


def test_the_same_seed_gives_the_same_numbers():
    assert run(study(0.9)) == run(study(0.9))


def test_shares_of_chosen_resolutions_are_over_outer_folds():
    table = study(0.9, repeats=2)
    best = table["condition"] == "best"
    fold = np.arange(len(table)) % 2
    table["fold"] = fold
    table["chosen"] = np.where(best, np.where((table["repeat"] == 0) & (fold == 0), "1", "16"), "")
    assert run(table)["chosen"] == {"1": 0.25, "16": 0.75}


@pytest.mark.parametrize(
    ("difference", "p", "wanted"),
    [(-1, 0.049, BETTER), (1, 0.049, WORSE), (-1, 0.05, NO_EVIDENCE), (0, 0.01, NO_EVIDENCE),
     (None, None, NO_EVIDENCE)],
)  # fmt: skip
def test_verdict_at_its_limits(difference, p, wanted):
    assert verdict(difference, p, 0.95) == wanted


def primary(**changes):
    known = {
        "target": "age", "unit": "years", "measure": "RMSE", "learner": "linear", "scheme": "grouped",
        "confidence": 0.95, "min_groups": 20, "persons": 312, "groups": 312, "cohorts": 4, "error": 8.1,
        "reference_error": 8.9, "difference": -0.8, "low": -1.2, "high": -0.4, "p": 0.0002, "verdict": BETTER,
    }  # fmt: skip
    return known | changes


def test_30_s_kept_in_every_fold_is_no_finding_of_equality():
    text = primary_sentence(
        primary(verdict=NO_EVIDENCE, error=8.9, difference=0.0, low=0.0, high=0.0, p=1.0, chosen={"1": 1.0}),
        simulated=False,
    )
    assert text == (
        "In no training fold was a resolution below 30 s preferred in predicting age, so that there is no difference "
        "to test: RMSE 8.90 years at 30 s (regularised linear models, cross-validated by person, 312 persons, "
        "4 cohorts)."
    )


def test_share_of_folds_that_kept_30_s_is_said():
    text = primary_sentence(primary(chosen={"1": 0.3, "16": 0.7}), simulated=False)
    assert "p < 0.001; 30 s itself was chosen in 30 % of the folds (regularised" in text


def test_few_cases_among_many_persons_are_too_few():
    y = (np.arange(60) < 4).astype(float)
    p = np.clip(np.random.default_rng(1).random((2, 60)), 0.1, 0.9)
    table = out_of_fold(y, {"1": p[0], "best": p[1]}, target="sex")
    found = run(table, is_class=True, target="sex")
    assert (found["verdict"], found["cases"], found["p"], found["low"]) == (TOO_FEW, 4, None, None)
    assert "4 of 60 independent persons are of the rarer class, 10 needed" in primary_sentence(found, simulated=False)


def test_better_in_words():
    assert primary_sentence(primary(), simulated=False) == (
        "Staging below 30 s predicts age better than 30-s staging: RMSE 8.10 years at the resolution chosen in the "
        "training folds and 8.90 years at 30 s, difference −0.80 (95 % interval −1.20 to −0.40), p < 0.001 "
        "(regularised linear models, cross-validated by person, 312 persons, 4 cohorts)."
    )


def test_worse_in_words_with_families_and_a_class():
    text = primary_sentence(
        primary(
            target="sex", unit="", measure="Brier score", verdict=WORSE, error=0.25, reference_error=0.2,
            difference=0.05, low=0.01, high=0.09, p=0.012, groups=300, cohorts=1, learner="forest",
        ),
        simulated=True,
    )  # fmt: skip
    assert text == (
        "In simulated data, staging below 30 s predicts sex worse than 30-s staging: Brier score 0.2500 at the "
        "resolution chosen in the training folds and 0.2000 at 30 s, difference +0.0500 (95 % interval +0.0100 to "
        "+0.0900), p = 0.012 (random forests, cross-validated by person, 312 persons of 300 families, 1 cohort)."
    )


def test_no_evidence_in_words_claims_neither_gain_nor_equality():
    text = primary_sentence(primary(verdict=NO_EVIDENCE, difference=-0.1, low=-0.4, high=0.2, p=0.41), simulated=False)
    assert text.startswith("There is no evidence of a difference between staging below 30 s and 30-s staging")
    assert "−0.10 (95 % interval −0.40 to +0.20), p = 0.41" in text
    assert "better" not in text and "worse" not in text and "equal" not in text


@pytest.mark.parametrize(("n", "words"), [(1, "1 independent person "), (12, "12 independent persons ")])
def test_too_few_persons_in_words(n, words):
    text = primary_sentence(primary(verdict=TOO_FEW, groups=n, p=None, low=None, high=None), simulated=True)
    assert text.startswith("In simulated data, whether staging below 30 s predicts age better than 30-s staging")
    assert "cannot be said" in text and words in text and "20 needed" in text


@pytest.mark.parametrize(
    ("verdict", "low", "high", "p", "words"),
    [
        (NO_EVIDENCE, -1.2, -0.01, 0.052, "the interval excludes no difference, the test does not"),
        (BETTER, -1.2, 0.01, 0.048, "the interval includes no difference"),
    ],
)
def test_interval_and_test_that_disagree_are_called_a_borderline_case(verdict, low, high, p, words):
    assert words in primary_sentence(primary(verdict=verdict, low=low, high=high, p=p), simulated=False)
    assert "borderline" not in primary_sentence(primary(), simulated=False)


@pytest.mark.parametrize("shift", [0.6, 1.0, 1.5])
@pytest.mark.parametrize("is_class", [False, True])
def test_sentence_of_a_real_result_says_its_verdict_and_simulated(shift, is_class):
    table = study(shift)
    if is_class:
        table = table.assign(y=(table["y"] > 50).astype(float), prediction=table["prediction"].rank(pct=True))
    found = run(table, is_class=is_class, target="apnea_15")
    text = primary_sentence(found, simulated=True)
    assert text.startswith("In simulated data, ") and text.endswith(".") and "\n" not in text
    words = {BETTER: "better than", WORSE: "worse than", NO_EVIDENCE: "no evidence of a difference"}
    assert [key for key, value in words.items() if value in text] == [found["verdict"]]
    json.dumps(found)


@pytest.mark.parametrize(("p", "text"), [(0.0009, "< 0.001"), (0.001, "= 0.001"), (0.0456, "= 0.046"), (1.0, "= 1.00")])
def test_p_as_text(p, text):
    assert p_text(p) == text


def control(flag):
    return {"flag": flag, "text": "something is amiss"}


def within(**changes):
    return {"estimate": -3.0, "low": -4.0, "high": -2.0, "p": 0.001, "method": "mixed model", "why": ""} | changes


@pytest.mark.parametrize(
    ("controls", "inside", "verdict", "wanted"),
    [
        ({"jitter": control(False)}, within(), BETTER, []),
        ({"jitter": control(True)}, within(), BETTER, ["Control failed: something is amiss."]),
        ({"cohort": control(True)}, within(), BETTER, ["Something is amiss."]),
        ({}, within(p=0.3, high=1.0), BETTER, ["not seen within cohorts"]),
        ({}, within(estimate=3.0, p=0.001), BETTER, ["not seen within cohorts"]),
        ({}, within(p=None, why="2 persons"), BETTER, ["could not be estimated within cohorts: 2 persons"]),
        ({}, within(p=0.3), NO_EVIDENCE, []),
    ],
)
def test_cautions_are_what_the_controls_hold_against_a_gain(controls, inside, verdict, wanted):
    found = cautions(primary(verdict=verdict), controls, {"difference_within": inside})
    assert len(found) == len(wanted)
    assert all(words in text for words, text in zip(wanted, found, strict=True))


def test_resampling_options_reach_the_test():
    options = Comparison(resampling=Resampling(bootstrap=200, permutations=100, confidence=0.5001))
    assert run(study(0.9), options)["confidence"] == 0.5001
    assert run(study(0.5), options)["p"] == pytest.approx(1 / 101)

"""The summary of one target, from features and out-of-fold table to what the report reads."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.comparisons import FAST, evidence

from hypnoflow.predict import said
from hypnoflow.predict.primary import BETTER, NO_EVIDENCE, TOO_FEW
from hypnoflow.predict.sentence import beside
from hypnoflow.predict.summary import compare_target, plain


@pytest.fixture(scope="module")
def gain():
    return compare_target(evidence(1.5), FAST, seed=1)


def test_summary_is_json_and_holds_every_part(gain):
    summary = json.loads(json.dumps(gain[0], allow_nan=False))
    assert set(summary) >= {
        "target", "unit", "measure", "simulated", "persons", "groups", "cohorts_n", "primary", "sentence", "cautions",
        "comparison", "cohorts", "mixed", "equalised", "controls", "curve", "discovery",
    }  # fmt: skip
    assert set(summary["controls"]) == {"jitter", "cohort", "shuffled"}
    assert (summary["persons"], summary["cohorts_n"]) == (123, 4)


def test_gain_below_30_s_is_found_everywhere_and_no_control_objects(gain):
    summary, discovery = gain
    assert summary["primary"]["verdict"] == BETTER
    assert summary["sentence"].startswith("In simulated data, staging below 30 s predicts age better than 30-s staging")
    assert summary["mixed"]["difference_within"]["high"] < 0
    assert [row["verdict"] for row in summary["equalised"]][0] == BETTER
    assert not any(control["flag"] for control in summary["controls"].values())
    assert summary["cautions"] == []
    assert set(zip(discovery["feature"][:2], discovery["steps_per_epoch"][:2], strict=True)) == {
        ("micro", 16), ("micro", 128),
    }  # fmt: skip
    assert summary["discovery"][0]["feature"] == "micro"
    assert [row["steps_per_epoch"] for row in summary["discovery"][:4]] == [1, 4, 16, 128]


def test_what_stands_beside_the_test_is_told_in_sentences(gain):
    within, window, intervals = beside(gain[0])
    assert within.startswith("Within 3 cohorts, difference in squared error −")  # the fourth has three persons
    assert window.startswith("Recordings of 6.")
    inside = np.mean([abs(row["prediction"] - row["y"]) <= 10 for row in best_rows()])
    assert intervals == f"Prediction intervals hold {100 * inside:.0f} % of persons out of fold."


def best_rows():
    """Return the rows of "best" of the same study; its intervals are the prediction ± 10."""
    (found,) = evidence(1.5).predicted.values()
    return found.best.to_dict("records")


def test_the_same_seed_gives_the_same_summary(gain):
    assert compare_target(evidence(1.5), FAST, seed=1)[0] == gain[0]


def test_no_effect_is_no_evidence():
    summary, discovery = compare_target(evidence(0.0, with_refit=False, seed=3), FAST, seed=1)
    assert summary["primary"]["verdict"] == NO_EVIDENCE
    assert summary["curve"] == [] and "shuffled" not in summary["controls"]
    assert not (discovery.loc[discovery["feature"] != "tst", "fdr"] < 0.01).any()


def test_class_is_compared_by_its_brier_score():
    summary, _ = compare_target(evidence(1.5, is_class=True, with_refit=False), FAST, seed=1)
    assert (summary["measure"], summary["primary"]["verdict"]) == ("Brier score", BETTER)
    assert summary["discovery"][0]["measure"] == "Cliff's delta"


def test_too_few_persons_have_a_summary_that_says_so():
    summary, _ = compare_target(evidence(1.0, n=4), FAST, seed=1)
    assert summary["primary"]["verdict"] == TOO_FEW
    assert "cannot be said" in summary["sentence"]
    json.dumps(summary, allow_nan=False)


def test_plain_values_are_built_in_and_undefined_ones_none():
    found = plain({"a": np.float64("nan"), 1: [np.int64(2), (np.bool_(True), np.inf)]})
    assert found == {"a": None, "1": [2, [True, None]]}


def test_what_is_written_is_what_the_types_say(gain):
    summary = gain[0]
    assert set(summary) <= set(said.TargetSummary.__annotations__)
    assert set(summary["primary"]) == set(said.Primary.__annotations__)
    rows = {"comparison": said.Compared, "cohorts": said.OfCohort, "equalised": said.Equalised, "curve": said.OfSize}
    for name, kind in rows.items():
        assert summary[name]
        for row in summary[name]:
            assert set(row) <= set(kind.__annotations__), name
    assert set(said.Discovered.__annotations__) <= set(summary["discovery"][0])
    assert all(set(said.Control.__annotations__) <= set(control) for control in summary["controls"].values())
    for estimate in (summary["mixed"]["difference"], *summary["mixed"]["association"].values()):
        assert set(said.Estimate.__annotations__) <= set(estimate)

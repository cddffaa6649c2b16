"""One target from a feature table to its table and summary."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hypnoflow.config.compare import Comparison, Resampling
from hypnoflow.config.predict import Forests, Predict
from hypnoflow.errors import ConfigError
from hypnoflow.facts.claim import claim
from hypnoflow.features import dictionary
from hypnoflow.predict.persons import gather_people
from hypnoflow.predict.sentence import beside
from hypnoflow.predict.target import predict_forests, predict_target
from hypnoflow.predict.targets import TARGETS
from hypnoflow.predict.validate import COLUMNS
from hypnoflow.report.figures import figures
from hypnoflow.report.page import sentence

FIGURES = ("prediction", "difference", "forest", "curve", "discovery")

FAST = Comparison(resampling=Resampling(bootstrap=100, permutations=100), curve_sizes=2, curve_draws=1, shuffles=1)
OPTIONS = Predict(learners=("linear",), repeats=1, compare=FAST)


BY_COHORT = {
    "schemes": ("leave_one_cohort_out",),
    "compare": FAST.model_copy(update={"scheme": "leave_one_cohort_out"}),
}


def cohort(name: str, n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each third person with two nights, and one without a known age."""
    rng = np.random.default_rng(seed)
    person = [k for k in range(n) for _ in range(2 if k % 3 == 0 else 1)]
    age = rng.uniform(20, 80, n)
    age[1] = np.nan
    manifest = pd.DataFrame(
        {
            "cohort": name,
            "recording": [f"r{i}" for i in range(len(person))],
            "person": [f"p{k}" for k in person],
            "group": [f"p{k}" for k in person],
            "age_y": age[person],
            "sex": ["female" if k % 2 else "male" for k in person],
            "ahi_per_h": np.nan,
            "bmi": rng.normal(26, 3, n)[person],
        }
    )
    known = dictionary()["name"]
    rows = []
    for f in (1, 16):
        part = pd.DataFrame(rng.standard_normal((len(person), len(known))), columns=known)
        part["triplet_N2_W_N2"] += (np.nan_to_num(age[person], nan=50) - 50) / 10 * (f == 16)
        rows.append(part.assign(steps_per_epoch=f, step_s=30 / f, split="train", **manifest.iloc[:, :4]))
    return pd.concat(rows, ignore_index=True), manifest


def tables(*sizes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    parts = [cohort(f"c{k}", n, seed=k) for k, n in enumerate(sizes)]
    return tuple(pd.concat(each, ignore_index=True) for each in zip(*parts, strict=True))


def run(target: str, *sizes: int, options: Predict = OPTIONS):
    done = predict_target(*tables(*sizes), target, options, seed=1, threads=1, simulated=True)
    return done.predictions, done.summary


def test_summary_says_who_was_predicted_and_the_report_reads_it():
    table, about = run("age", 24, 3)
    assert table["person"].nunique() == 25
    assert about["persons"] == about["groups"] == 25
    assert about["persons_without_target"] == 2
    assert about["recordings"] == 33 + 2 + 1 - 2  # two nights of each third person; the two unknown had one
    assert about["persons_by_cohort"] == {"c0": 23, "c1": 2}
    assert about["persons_by_split"] == {"train": 25}
    resolutions = [
        r["condition"] for r in about["comparison"] if (r["family"], r["scheme"]) == ("resolution", "grouped")
    ]
    assert resolutions == ["1", "16"]
    assert "25 persons" in sentence(about)
    assert about["sentence"].startswith("In simulated data, ")
    assert about["controls"]["shuffled"]["repeats"] == 1
    assert {row["groups"] for row in about["curve"]} == {20, 25}
    json.dumps(about)


def test_fold_that_cannot_be_trained_on_is_named_with_its_reason():
    table, about = run("age", 24, 3)
    assert set(table.loc[table["scheme"] == "leave_one_cohort_out", "cohort"]) == {"c1"}
    (problem,) = about["not_predicted"]
    assert problem["cohorts"] == ["c0"]
    assert problem["problem"] == "2 persons are left to train on, too few for 5 inner folds"


def test_single_cohort_is_said_once_and_predicted_by_person():
    table, about = run("sex", 24)
    assert set(table["scheme"]) == {"grouped"}
    assert about["not_predicted"] == [
        {
            "scheme": "leave_one_cohort_out",
            "persons": 24,
            "problem": "only c0 knows sex, two cohorts are needed",
        }
    ]
    assert about["class_counts"] == [12, 12]


def test_target_that_nobody_knows_is_a_problem_not_a_zero():
    table, about = run("log_ahi", 24)
    assert table.empty
    assert tuple(table.columns) == COLUMNS
    assert about["problem"] == "0 persons with a known log_ahi, 10 needed for 5 folds"
    assert about["mean"] is None
    assert "comparison" not in about


def test_no_scheme_that_works_is_a_problem():
    table, about = run("sex", 24, options=OPTIONS.model_copy(update=BY_COHORT))
    assert table.empty
    assert about["problem"] == "only c0 knows sex, two cohorts are needed"


def test_summary_of_a_target_that_was_not_predicted_leaves_the_page_standing():
    _, problem = run("age", 4)
    data = SimpleNamespace(predictions={"age": problem}, simulated=True)
    assert [name for name in FIGURES if figures.get(name).draw(data) is not None] == []
    assert sentence(problem) == "Not predicted: 3 persons with a known age, 10 needed for 5 folds."
    assert beside(problem) == ["Not predicted (leave one cohort out): only c0 knows age, two cohorts are needed."]


def test_unknown_target_is_named_with_the_closest():
    with pytest.raises(ConfigError, match="did you mean 'apnea_15'"):
        run("apnea15", 24)


def people_of(features, manifest, target: str):
    return gather_people(features, manifest, TARGETS[target], dictionary())


@pytest.mark.parametrize("protocol", ["out_of_bag", "published"])
def test_forests_predict_at_every_resolution_and_leave_out_nights_without_sleep(protocol, tmp_path):
    features, manifest = tables(14)
    triplets = [name for name in features if name.startswith("triplet_")]
    features.loc[features["person"] == "p4", triplets] = np.nan
    options = Predict(forests=Forests(protocol=protocol, forests=2, trees=10))
    kept = tmp_path / "kept.parquet"
    people = people_of(features, manifest, "age")
    with claim(tmp_path / "kept.json", [kept]):
        table, errors = predict_forests(people, features, options, seed=1, threads=1, kept=kept)
    assert table["person"].nunique() == 12
    assert "c0/p4" not in set(table["person"])
    assert [row["condition"] for row in errors] == ["1", "16"]
    assert all(row["persons"] == 12 and np.isfinite(row["error"]) for row in errors)
    assert kept.exists() == (protocol == "published")
    (said,) = beside({"forests": errors})
    assert f"RMSE {errors[0]['error']:.3g} at 30 s" in said and said.endswith("not tested.")


def test_forests_of_nobody_are_an_empty_table():
    options = Predict(forests=Forests(protocol="out_of_bag"))
    features, manifest = tables(14)
    table, errors = predict_forests(people_of(features, manifest, "log_ahi"), features, options, seed=1, threads=1)
    assert table.empty
    assert errors == []


def test_forests_that_are_off_are_an_empty_table_with_the_same_columns():
    features, manifest = tables(14)
    people = people_of(features, manifest, "age")
    off, errors = predict_forests(people, features, Predict(forests=Forests(protocol="off")), seed=1, threads=1)
    on, _ = predict_forests(people, features, Predict(forests=Forests(forests=1, trees=5)), seed=1, threads=1)
    assert off.empty and errors == []
    assert set(off.columns) == set(on.columns)

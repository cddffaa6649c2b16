"""Nested cross-validation: what is tested has no say in what is fitted, chosen or calibrated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from hypnoflow.config.compare import Comparison
from hypnoflow.config.predict import Predict
from hypnoflow.predict.learners import Scores, Training
from hypnoflow.predict.persons import People
from hypnoflow.predict.targets import TARGETS
from hypnoflow.predict.validate import (
    COLUMNS,
    choose,
    out_of_fold,
    outer_folds,
    predict_fold,
    why_not_predicted,
    why_not_trained,
    why_skipped,
)

CONDITIONS = [
    *("baseline", "demographics", "classic", "1", "4", "16", "best"),
    *("demographics+classic", "demographics+1", "demographics+best"),
]
LINEAR = Predict(learners=("linear",), schemes=("grouped",), repeats=1)
LOCO = "leave_one_cohort_out"
BY_COHORT = Predict(learners=("linear",), schemes=(LOCO,), compare=Comparison(scheme=LOCO))


def people(target: str = "age", n: int = 60, cohorts: int = 3, family: int = 1, seed: int = 1) -> People:
    """Persons of whom resolution 4 knows most, resolution 1 a little, and nothing else anything."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal(n)
    is_class = TARGETS[target].is_class
    group = [f"x/f{k // family:03d}" for k in range(n)]
    table = pd.DataFrame(
        {
            "person": [f"x/p{k:03d}" for k in range(n)],
            "group": group,
            "cohort": [f"c{k % cohorts}" for k in range(n)],
            "y": (latent > 0).astype(float) if is_class else 50 + 10 * latent,
        }
    )
    features = {"demographics": rng.standard_normal((n, 2)), "classic": rng.standard_normal((n, 4))}
    for name, strength in (("1", 0.3), ("4", 3.0), ("16", 0.0)):
        x = rng.standard_normal((n, 6))
        x[:, 0] += strength * latent
        features[name] = x
    return People(TARGETS[target], table, features)


def run(found: People, options: Predict = LINEAR, seed: int = 1, threads: int = 1) -> pd.DataFrame:
    return out_of_fold(found, options, seed=seed, threads=threads)


def squared_error(table: pd.DataFrame) -> pd.Series:
    return (table["y"] - table["prediction"]).pow(2).groupby(table["condition"]).mean()


@pytest.mark.parametrize("target", ["age", "sex"])
def test_table_has_a_row_per_person_learner_condition_and_repeat(target):
    options = Predict(learners=("linear", "forest"), schemes=("grouped",), repeats=2, trees=10)
    table = run(people(target), options)
    assert tuple(table.columns) == COLUMNS
    assert not table.duplicated(["person", "learner", "condition", "repeat"]).any()
    assert list(dict.fromkeys(table["condition"])) == CONDITIONS
    assert len(table) == 60 * 2 * 10 * 2
    assert set(table["learner"]) == {"linear", "forest"}
    assert np.isfinite(table["prediction"]).all()
    assert table[["low", "high"]].notna().all(axis=None) == (target == "age")
    assert (table.loc[table["condition"] != "best", "chosen"] == "").all()


@pytest.mark.parametrize("learner", ["linear", "forest"])
@pytest.mark.parametrize("target", ["age", "sex"])
def test_target_of_test_persons_changes_nothing_that_is_predicted_of_them(learner, target):
    """Not the fit, nor settings, resolution, calibration or interval."""
    found, options = people(target), Predict(learners=(learner,), compare=Comparison(learner=learner), trees=10)
    outer = outer_folds(found, options, 1)[0]
    other = found.table.copy()
    other.loc[outer.test, "y"] = 1 - other.loc[outer.test, "y"] if target == "sex" else 5.0
    one, two = (predict_fold(p, outer, learner, options, 1) for p in (found, replace(found, table=other)))
    assert one.drop(columns="y").equals(two.drop(columns="y"))


def test_features_of_another_test_person_change_nothing():
    found = people()
    outer = outer_folds(found, LINEAR, 1)[0]
    first, *others = np.flatnonzero(outer.test)
    changed = {name: x.copy() for name, x in found.features.items()}
    for x in changed.values():
        x[others] = 99
    one, two = (predict_fold(p, outer, "linear", LINEAR, 1) for p in (found, replace(found, features=changed)))
    name = found.table.loc[first, "person"]
    assert one[one["person"] == name].equals(two[two["person"] == name])


def test_family_is_never_on_both_sides():
    found = people(family=3)
    for outer in outer_folds(found, Predict(repeats=2, schemes=("grouped",)), 1):
        assert not set(found.group[outer.test]) & set(found.group[~outer.test])


@pytest.mark.parametrize("learner", ["linear", "forest", "boosted"])
def test_feature_that_names_the_family_does_not_help(learner):
    rng = np.random.default_rng(2)
    found = people(family=4)
    y = rng.uniform(20, 80, 15)[found.group]
    names = (found.group[:, None] == np.arange(15)).astype(float)
    found = replace(found, table=found.table.assign(y=y), features=dict.fromkeys(found.features, names))
    error = squared_error(
        run(found, Predict(learners=(learner,), compare=Comparison(learner=learner), schemes=("grouped",)))
    )
    assert error["best"] > 0.9 * error["baseline"]


def test_best_is_the_resolution_that_each_training_part_chose():
    table = run(people()).set_index(["condition", "person"])
    assert set(table.loc["best", "chosen"]) == {"4"}
    assert table.loc["best", "prediction"].equals(table.loc["4", "prediction"])
    error = squared_error(table.reset_index())
    assert error["best"] < 0.3 * error["baseline"]
    assert error["1"] > 0.7 * error["baseline"]


def chosen(errors: dict[str, np.ndarray], group: np.ndarray | None = None) -> str:
    """Return the choice among resolutions whose training persons have these errors."""
    n = len(next(iter(errors.values())))
    y = np.zeros(n)
    group = np.arange(n) if group is None else group
    training = Training(y, group, np.zeros(n, np.int64), is_class=False, seed=0)
    return choose(training, {name: Scores(error, y) for name, error in errors.items()})


def test_coarser_of_two_equal_resolutions_is_chosen():
    one = np.ones(20)
    assert chosen({"1": 2 * one, "2": one, "16": -one}) == "2"


def test_resolution_replaces_30_s_only_where_its_gain_is_over_two_standard_errors():
    """Gains of 1 + c and -1 + c, half of the persons each: standard error 1 / sqrt(100), twice it 0.2."""
    spread = np.repeat([1.0, -1.0], 50)
    for gain, wanted in ((0.19, "1"), (0.21, "4")):
        finer = np.sqrt(10 - spread - gain)
        assert chosen({"1": np.full(100, np.sqrt(10)), "4": finer}) == wanted


def test_persons_of_a_family_are_one_piece_of_evidence():
    """The same persons in families of four: the standard error doubles, and the gain is no longer enough."""
    spread = np.repeat([1.0, -1.0], 50)
    errors = {"1": np.full(100, np.sqrt(10)), "4": np.sqrt(10 - spread - 0.3)}
    assert chosen(errors) == "4"
    assert chosen(errors, np.arange(100) // 4) == "1"


def test_baseline_is_the_mean_of_the_training_persons():
    table = run(people())
    rows = table[table["condition"] == "baseline"]
    for _, fold in rows.groupby("fold"):
        others = rows.loc[~rows["person"].isin(fold["person"]), "y"]
        assert np.allclose(fold["prediction"], others.mean())


def test_joined_conditions_take_features_from_each_part():
    """What two parts know separately, only the join knows."""
    found = people()
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((2, 60))
    features = {name: rng.standard_normal(x.shape) for name, x in found.features.items()}
    features["demographics"][:, 0], features["classic"][:, 0] = a, b
    table = run(replace(found, table=found.table.assign(y=10 * (a + b)), features=features))
    error = squared_error(table)
    assert error["demographics+classic"] < 0.2 * min(error["demographics"], error["classic"])
    assert error["demographics+best"] > 0.5 * error["best"]  # "best" knows neither part here


def test_repeats_differ_and_seeds_decide():
    table = run(people(), Predict(learners=("linear",), schemes=("grouped",), repeats=2))
    first, second = (table[table["repeat"] == k].set_index(["condition", "person"])["prediction"] for k in (0, 1))
    assert not first.sort_index().equals(second.sort_index())
    assert run(people()).equals(run(people()))
    assert not run(people()).equals(run(people(), seed=2))


def test_processes_do_not_change_the_predictions():
    options = Predict(learners=("linear", "forest"), schemes=("grouped",), repeats=1, trees=10)
    assert run(people(), options).equals(run(people(), options, threads=2))


def test_intervals_of_new_persons_cover_as_often_as_they_say():
    options = Predict(learners=("linear",), schemes=("grouped",), repeats=1, interval=0.8)
    covered = []
    for seed in range(8):
        table = run(people(n=80, seed=seed), options, seed)
        rows = table[table["condition"].isin(["4", "best", "baseline"])]
        covered.append(((rows["low"] <= rows["y"]) & (rows["y"] <= rows["high"])).groupby(rows["condition"]).mean())
    mean = pd.concat(covered, axis=1).mean(axis=1)
    assert mean.between(0.76, 0.85).all(), mean  # SE of 640 persons is 0.016


@pytest.mark.parametrize("learner", ["linear", "forest"])
def test_probabilities_of_new_persons_are_calibrated(learner):
    """Regressing the class on its predicted log-odds: slope 1 and intercept 0 are perfect (Cox 1958)."""
    options = Predict(
        learners=(learner,), compare=Comparison(learner=learner), schemes=("grouped",), repeats=1, trees=60
    )
    found = people("sex", n=400, seed=3)
    weak = {name: 0.4 * x + np.random.default_rng(4).standard_normal(x.shape) for name, x in found.features.items()}
    table = run(replace(found, features=weak), options)
    rows = table[table["condition"] == "best"]
    p = rows["prediction"].to_numpy()
    assert 0 < p.min() < p.max() < 1
    model = LogisticRegression(C=1e6).fit(np.log(p / (1 - p))[:, None], rows["y"])
    assert model.coef_[0, 0] == pytest.approx(1, abs=0.3)
    assert model.intercept_[0] == pytest.approx(0, abs=0.3)


def test_leaving_a_cohort_out_predicts_all_of_it_from_the_others():
    found = people()
    table = run(found, BY_COHORT)
    assert set(table["scheme"]) == {"leave_one_cohort_out"}
    assert set(table["repeat"]) == {0}
    assert (table.groupby("fold")["cohort"].nunique() == 1).all()
    rows = table[table["condition"] == "baseline"]
    for cohort, fold in rows.groupby("cohort"):
        others = rows.loc[rows["cohort"] != cohort, "y"]
        assert np.allclose(fold["prediction"], others.mean())


def test_only_the_primary_learner_leaves_cohorts_out():
    options = Predict(learners=("linear", "forest"), repeats=1, trees=10)
    table = run(people(), options)
    assert set(table.loc[table["scheme"] == "leave_one_cohort_out", "learner"]) == {"linear"}
    assert set(table.loc[table["scheme"] == "grouped", "learner"]) == {"linear", "forest"}


def test_cohort_with_three_persons_is_predicted_but_trains_nobody():
    found = people()
    found = replace(found, table=found.table.assign(cohort=["small"] * 3 + ["large"] * 57))
    table = run(found, BY_COHORT)
    assert set(table["cohort"]) == {"small"}
    assert table["person"].nunique() == 3
    assert np.isfinite(table["prediction"]).all()
    problem = why_not_trained(found, (found.table["cohort"] == "large").to_numpy(), BY_COHORT)
    assert problem == "3 persons are left to train on, too few for 5 inner folds"


def test_single_cohort_skips_the_scheme_and_says_why():
    found = people(cohorts=1)
    assert why_skipped(found, "leave_one_cohort_out") == "only c0 knows age, two cohorts are needed"
    assert why_skipped(found, "grouped") is None
    assert run(found, BY_COHORT).empty
    assert tuple(run(found, BY_COHORT).columns) == COLUMNS


def test_cohort_whose_absence_leaves_one_class_is_not_predicted():
    found = people("sex", cohorts=2)
    table = found.table.assign(y=np.where(found.table["cohort"] == "c0", found.table["y"], 0.0))
    found = replace(found, table=table)
    assert set(run(found, BY_COHORT)["cohort"]) == {"c1"}
    problem = why_not_trained(found, (table["cohort"] == "c0").to_numpy(), BY_COHORT)
    assert problem == "the persons left to train on all have the same value"


@pytest.mark.parametrize("learner", ["linear", "forest", "boosted"])
def test_class_that_some_folds_lack_is_predicted(learner):
    found = people("sex", n=40)
    found = replace(found, table=found.table.assign(y=(np.arange(40) < 2).astype(float)))
    table = run(
        found,
        Predict(learners=(learner,), compare=Comparison(learner=learner), schemes=("grouped",), repeats=1, trees=10),
    )
    assert len(table) == 40 * 10
    assert table["prediction"].between(0, 1).all()


def test_too_few_persons_are_said_so():
    assert why_not_predicted(people(n=9), LINEAR) == "9 persons with a known age, 10 needed for 5 folds"
    assert why_not_predicted(people(n=10), LINEAR) is None
    assert why_not_predicted(people(n=18, family=2), LINEAR) == "9 persons with a known age, 10 needed for 5 folds"


def test_class_with_one_person_and_equal_ages_are_said_so():
    found = people("sex")
    alone = found.table.assign(y=(np.arange(60) == 3).astype(float))
    assert "fewer than 2 persons" in str(why_not_predicted(replace(found, table=alone), LINEAR))
    same = replace(people(), table=people().table.assign(y=40.0))
    assert why_not_predicted(same, LINEAR) == "age: everybody has the same value"

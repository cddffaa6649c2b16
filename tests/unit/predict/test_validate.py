"""Cross-validation by person: nobody is in the training and the test of one fold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hypnoflow.config import Predict
from hypnoflow.predict import validate
from hypnoflow.predict.validate import Problem, conditions_of, enough, fold_of_person, out_of_fold

OPTIONS = Predict(folds=5, repeats=2, trees=10)


def ages(n: int = 40, visits: int = 1, seed: int = 1) -> Problem:
    """Persons of whom each second has `visits` recordings."""
    rng = np.random.default_rng(seed)
    rows = [(f"p{k:03d}", age) for k, age in enumerate(rng.uniform(20, 80, n)) for _ in range(visits if k % 2 else 1)]
    return Problem("age", np.array([age for _, age in rows]), np.array([p for p, _ in rows]), False)


def sexes(n: int = 40, share: float = 0.3) -> Problem:
    y = (np.arange(n) < share * n).astype(float)
    return Problem("sex", y, np.array([f"p{k:03d}" for k in range(n)]), True)


def run(problem: Problem, conditions: dict[str, np.ndarray], seed: int = 1, options: Predict = OPTIONS) -> pd.DataFrame:
    return out_of_fold(problem, conditions, options, seed=seed, threads=2)


def nothing(problem: Problem) -> dict[str, np.ndarray]:
    return {"baseline": np.empty((len(problem.y), 0))}


def test_no_person_is_in_training_and_test_of_a_fold(monkeypatch):
    """A spy in the forest's place remembers which persons it was fitted on and asked for."""
    seen: list[tuple[set[float], set[float]]] = []

    class Spy:
        def __init__(self, **_):
            pass

        def fit(self, x, y):
            self.known = set(x[:, 0].tolist())
            return self

        def predict(self, x):
            seen.append((self.known, set(x[:, 0].tolist())))
            return np.zeros(len(x))

    monkeypatch.setattr(validate, "RandomForestRegressor", Spy)
    problem = ages(visits=3)
    codes = {p: float(i) for i, p in enumerate(sorted(set(problem.person)))}
    run(problem, {"1": np.array([[codes[p]] for p in problem.person])})
    assert len(seen) == OPTIONS.folds * OPTIONS.repeats
    assert all(not (train & test) for train, test in seen)
    assert all(train | test == set(codes.values()) for train, test in seen)
    asked = [code for _, test in seen for code in test]
    assert sorted(asked) == sorted(list(codes.values()) * OPTIONS.repeats)  # each person once per repeat


def test_feature_that_names_the_person_does_not_help():
    """With a visit of the same person in training, a forest would read the age off the person's code."""
    problem = ages(60, visits=4)
    code = np.unique(problem.person, return_inverse=True)[1][:, None].astype(float)
    table = run(problem, {"baseline": np.empty((len(problem.y), 0)), "1": code})
    error = table.assign(e=(table["y"] - table["prediction"]) ** 2).groupby("condition")["e"].mean()
    assert error["1"] > 0.7 * error["baseline"]


def test_every_person_has_one_prediction_per_condition_and_repeat():
    problem = ages(visits=2)
    table = run(problem, {**nothing(problem), "1": problem.y[:, None]})
    assert list(table.columns) == ["person", "target", "condition", "repeat", "y", "prediction"]
    assert len(table) == 40 * 2 * 2
    assert not table.duplicated(["person", "condition", "repeat"]).any()
    assert np.isfinite(table["prediction"]).all()
    wanted = dict(zip(problem.person, problem.y, strict=True))
    assert np.allclose(table["y"], table["person"].map(wanted))


def test_folds_are_the_same_for_the_same_seed_and_for_every_condition():
    problem = ages()
    one, two, other = (run(problem, nothing(problem), seed) for seed in (1, 1, 2))
    assert one.equals(two)
    assert not one.equals(other)
    both = run(problem, {"a": np.empty((40, 0)), "b": np.empty((40, 0))})
    a, b = (both.loc[both["condition"] == name, "prediction"].to_numpy() for name in "ab")
    assert np.array_equal(a, b)


def test_repeats_use_other_folds():
    problem = ages()
    table = run(problem, nothing(problem))
    first, second = (table.loc[table["repeat"] == k, "prediction"].to_numpy() for k in (0, 1))
    assert not np.array_equal(first, second)


def test_number_of_threads_does_not_change_the_predictions():
    problem = ages()
    x = np.random.default_rng(1).standard_normal((40, 3))
    one, two = (out_of_fold(problem, {"1": x}, OPTIONS, seed=1, threads=threads) for threads in (1, 2))
    assert one.equals(two)


@pytest.mark.parametrize("visits", [1, 3])
def test_baseline_is_the_mean_of_the_training_persons(visits):
    problem = ages(visits=visits)
    table = run(problem, nothing(problem), options=Predict(folds=5, repeats=1, trees=1))
    person_age = dict(zip(problem.person, problem.y, strict=True))
    groups = table.groupby(table["prediction"].round(9))["person"].apply(set)  # a fold has one mean
    assert len(groups) == 5
    for prediction, test in groups.items():
        training = [age for person, age in person_age.items() if person not in test]
        assert prediction == pytest.approx(np.mean(training), abs=1e-6)


def test_baseline_of_classes_is_the_majority_of_the_training_persons():
    few, many = (run(sexes(share=share), nothing(sexes())) for share in (0.3, 0.7))
    assert (few["prediction"] == 0).all()
    assert (many["prediction"] == 1).all()


@pytest.mark.parametrize("n", [10, 23, 40])
def test_folds_have_equal_sizes_up_to_one(n):
    fold = fold_of_person(ages(n), 5, np.random.default_rng(1))
    sizes = fold.value_counts()
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 1


def test_classes_are_spread_evenly_over_folds():
    problem = sexes(43)
    fold = fold_of_person(problem, 5, np.random.default_rng(1))
    men = fold[problem.persons == 1].value_counts()
    assert len(men) == 5
    assert men.max() - men.min() <= 1


def test_ages_are_spread_evenly_over_folds():
    problem = ages(100)
    fold = fold_of_person(problem, 5, np.random.default_rng(1))
    means = problem.persons.groupby(fold).mean()
    assert means.max() - means.min() < 3  # by chance: SD of a fold's mean is 17/sqrt(20) = 3.9 years


def test_informative_feature_beats_the_baseline_for_a_number_and_a_class():
    for problem in (ages(), sexes()):
        noise = np.random.default_rng(1).standard_normal((40, 2))
        table = run(problem, {**nothing(problem), "1": np.c_[problem.y, noise]})
        error = (table["y"] - table["prediction"]).abs().groupby(table["condition"]).mean()
        assert error["1"] < 0.6 * error["baseline"]
    assert table["prediction"].between(0, 1).all()


def test_undefined_feature_takes_the_training_rows_median():
    problem = ages()
    x = np.c_[problem.y, np.full(40, np.nan)]
    x[::4, 0] = np.nan
    table = run(problem, {"1": x})
    assert np.isfinite(table["prediction"]).all()


@pytest.mark.parametrize("n, problem_text", [(9, "9 persons with a known age, 10 needed"), (10, None)])
def test_too_few_persons_are_said_so(n, problem_text):
    found = enough(ages(n, visits=3), 5)
    assert (found is None) if problem_text is None else (problem_text in found)


def test_a_class_with_one_person_is_said_so():
    assert "fewer than 2 persons" in enough(sexes(40, share=1 / 40), 5)
    assert enough(sexes(40, share=2 / 40), 5) is None


def test_conditions_are_baseline_classic_and_each_resolution_in_order():
    rows = [(f, k, 10 * f + k, 100 + k) for f in (1, 2, 16) for k in range(3)]
    table = pd.DataFrame(rows, columns=["steps_per_epoch", "recording", "fine", "tst"])
    found = conditions_of(table, ["fine"], ["tst"])
    assert list(found) == ["baseline", "classic", "1", "2", "16"]
    assert found["baseline"].shape == (3, 0)
    assert found["classic"].ravel().tolist() == [100, 101, 102]
    assert found["16"].ravel().tolist() == [160, 161, 162]

"""From the out-of-fold table to losses: averaging, groups and recentring on hand-made tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.comparisons import out_of_fold

from hypnoflow.predict.losses import Asked, out_of_fold_of


def found(table, is_class=False):
    return out_of_fold_of(table, Asked("grouped", "linear", is_class))


def test_repeats_are_averaged_as_losses_and_not_as_predictions():
    """Predictions 8 and 12 of 10: their mean is right, each of them is off by 2."""
    table = out_of_fold([10.0], {"1": [8.0]}, repeats=2)
    table.loc[1, "prediction"] = 12.0
    assert found(table).losses(["1"]).tolist() == [[4.0]]


def test_nights_of_a_person_are_averaged_as_predictions():
    table = pd.concat([out_of_fold([10.0], {"1": [8.0]}), out_of_fold([10.0], {"1": [12.0]})])
    assert found(table).losses(["1"]).tolist() == [[0.0]]
    assert len(found(table).people) == 1


@pytest.mark.parametrize("empty", [np.nan, None, ""])
def test_empty_group_is_the_persons_own(empty):
    table = out_of_fold([1.0, 2.0, 3.0], {"1": [1, 1, 1]}, group=[empty, "f", "f"])
    assert found(table).people["group"].tolist() == ["x/f", "x/f", "x/p0000"]
    assert found(table).paired(["1"]).n_groups == 2


def test_names_that_already_hold_their_cohort_stay_as_they_are():
    table = out_of_fold([1.0, 2.0], {"1": [1, 1]}, person=["x/a", "x/b"], group=["x/f", "x/f"])
    assert found(table).people[["person", "group"]].to_numpy().tolist() == [["x/a", "x/f"], ["x/b", "x/f"]]


def test_same_group_name_in_two_cohorts_is_two_groups():
    table = out_of_fold([1.0, 2.0], {"1": [1, 1]}, cohort=["x", "y"], person=["a", "a"], group=["f", "f"])
    assert found(table).paired(["1"]).n_groups == 2


def test_persons_without_target_or_prediction_are_left_out():
    table = out_of_fold([1.0, np.nan, 3.0], {"1": [1, 1, 1], "best": [1, 1, np.nan]})
    assert len(found(table).people) == 2
    assert found(table).paired(["1", "best"]).values.tolist() == [[0.0, 0.0]]
    assert len(found(table).paired(["1"]).values) == 2


def test_only_the_asked_scheme_and_learner_is_read():
    table = pd.concat([out_of_fold([1.0], {"1": [1]}), out_of_fold([1.0], {"1": [5]}, learner="forest")])
    assert found(table).losses(["1"]).tolist() == [[0.0]]


def test_error_is_rmse_of_a_number_and_brier_of_a_class():
    table = out_of_fold([0.0, 1.0], {"1": [0.5, 0.5]})
    assert found(table).asked.scale(np.array([0.25])).tolist() == [0.5]
    assert found(table, True).asked.scale(np.array([0.25])).tolist() == [0.25]
    assert (found(table).asked.measure, found(table, True).asked.measure) == ("RMSE", "Brier score")


def test_recentred_predictions_have_the_targets_mean_in_every_stratum_and_keep_their_spread():
    table = out_of_fold([10.0, 14.0, 50.0, 52.0], {"1": [1, 3, 0, 9]}, cohort=["x", "x", "y", "y"])
    moved = found(table).recentred(np.array(["x", "x", "y", "y"], object))
    assert moved.mean_prediction("1").tolist() == [11.0, 13.0, 46.5, 55.5]


def test_a_large_family_weighs_no_more_than_a_person_in_recentring():
    once = found(out_of_fold([10.0, 20.0], {"1": [1, 5]}, group=["f", "g"]))
    thrice = found(out_of_fold([10.0, 20.0, 20.0, 20.0], {"1": [1, 5, 5, 5]}, group=["f", "g", "g", "g"]))
    stratum = np.array(["s"] * 4, object)
    a, b = once.recentred(stratum[:2]).mean_prediction("1"), thrice.recentred(stratum).mean_prediction("1")
    assert a.tolist() == pytest.approx(b[:2].tolist())

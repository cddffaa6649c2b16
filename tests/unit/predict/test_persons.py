"""One row per person, whatever the number of nights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hypnoflow.errors import ConfigError
from hypnoflow.predict.persons import gather_people
from hypnoflow.predict.targets import TARGETS

DICTIONARY = pd.DataFrame({"name": ["tst", "fine", "fine_slope"], "group": ["classic", "triplets", "triplets"]})
# Two nights of a, one of b, c and d; b and c are a family; d's age is not known.
MANIFEST = pd.DataFrame(
    {
        "cohort": ["x", "x", "x", "x", "y"],
        "recording": ["a1", "a2", "b1", "c1", "a1"],
        "person": ["a", "a", "b", "c", "a"],
        "group": [None, "", "f", "f", "a"],
        "age_y": [30.0, 34.0, 50.0, 60.0, None],
        "sex": ["female", "female", "male", None, "male"],
        "bmi": [20.0, None, 30.0, 25.0, 22.0],
        "ahi_per_h": [10.0, 22.0, 3.0, None, 40.0],
    }
)
FEATURES = pd.DataFrame(
    [
        {"cohort": c, "recording": r, "steps_per_epoch": f, "tst": 100.0 + k, "fine": f + k, "fine_slope": 7.0}
        for f in (16, 1)
        for k, (c, r) in enumerate(zip(MANIFEST["cohort"], MANIFEST["recording"], strict=True))
    ]
)


def people(target: str = "age", features: pd.DataFrame = FEATURES, manifest: pd.DataFrame = MANIFEST):
    return gather_people(features, manifest, TARGETS[target], DICTIONARY)


def test_person_is_one_row_with_the_mean_over_nights():
    found = people()
    assert found.table["person"].tolist() == ["x/a", "x/b", "x/c"]
    assert found.y.tolist() == [32, 50, 60]
    assert found.features["classic"].ravel().tolist() == [100.5, 102, 103]
    assert found.features["1"].tolist() == [[100.5, 1.5], [102, 3], [103, 4]]
    assert found.features["16"].tolist() == [[100.5, 16.5], [102, 18], [103, 19]]  # classic ones are of 30 s
    assert found.resolutions == ["1", "16"]


def test_feature_that_one_night_lacks_is_that_of_the_other():
    features = FEATURES.copy()
    features.loc[(features["recording"] == "a1") & (features["cohort"] == "x"), "fine"] = np.nan
    assert people(features=features).features["1"][:, 1].tolist() == [2, 3, 4]


def test_same_name_in_two_cohorts_is_two_persons_and_missing_targets_are_counted():
    assert people().persons_without_target == 1
    assert people().recordings == 4
    assert people("sex").table["person"].tolist() == ["x/a", "x/b", "y/a"]


def test_group_is_the_family_or_else_the_person():
    assert people().table["group"].tolist() == ["x/a", "x/f", "x/f"]
    assert people().group.tolist() == [0, 1, 1]
    assert people(manifest=MANIFEST.drop(columns="group")).table["group"].tolist() == ["x/a", "x/b", "x/c"]


def test_apnea_is_that_of_the_mean_index_of_a_persons_nights():
    assert people("apnea_15").y.tolist() == [1, 0, 1]  # (10 + 22) / 2 = 16
    assert people("apnea_30").y.tolist() == [0, 0, 1]


def test_person_given_with_both_sexes_has_none():
    manifest = MANIFEST.assign(sex=["female", "male", "male", "female", "male"])
    assert people("sex", manifest=manifest).table["person"].tolist() == ["x/b", "x/c", "y/a"]


@pytest.mark.parametrize(
    "target, wanted",
    [
        ("age", [[0, 20], [1, 30], [np.nan, 25]]),  # sex, bmi
        ("sex", [[32, 20], [50, 30], [np.nan, 22]]),  # age, bmi
        ("log_ahi", [[32, 0, 20], [50, 1, 30], [np.nan, 1, 22]]),
    ],
)
def test_demographics_leave_out_the_target_itself(target, wanted):
    assert np.array_equal(people(target).features["demographics"], np.array(wanted, float), equal_nan=True)


def test_slope_over_resolutions_is_no_feature_of_one_resolution():
    assert people().features["1"].shape == (3, 2)


@pytest.mark.parametrize("lost", [["tst"], ["fine"]])
def test_table_of_another_version_is_refused(lost):
    with pytest.raises(ConfigError, match="make it again"):
        people(features=FEATURES.drop(columns=lost))


def test_table_without_30_s_is_refused():
    with pytest.raises(ConfigError, match="rows at 30 s"):
        people(features=FEATURES[FEATURES["steps_per_epoch"] == 16])

"""What is predicted, from the columns of a manifest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hypnoflow.config import Predict
from hypnoflow.predict.targets import make_target

MANIFEST = pd.DataFrame(
    {
        "age_y": [30.0, None, 71.5, 44.0],
        "sex": pd.array(["female", "male", None, "male"], dtype="string"),
        "ahi_per_h": [14.99, 15.0, None, 80.0],
    },
    index=[7, 3, 5, 1],
)


def values(name: str, **options) -> list[float | None]:
    y = make_target(name, MANIFEST, Predict(**options)).y
    assert y.index.tolist() == [7, 3, 5, 1]
    return [None if np.isnan(v) else v for v in y]


def test_age_is_the_number_in_years_and_missing_where_it_is_missing():
    assert values("age") == [30, None, 71.5, 44]


def test_sex_is_one_for_men():
    assert values("sex") == [0, 1, None, 1]


def test_apnea_begins_at_the_limit_and_is_missing_where_the_index_is():
    assert values("apnea") == [0, 1, None, 1]
    assert values("apnea", apnea_ahi_per_h=5.0) == [1, 1, None, 1]


@pytest.mark.parametrize(
    "name, classes, error",
    [
        ("age", (), "RMSE (years)"),
        ("sex", ("female", "male"), "1 - macro-F1"),
        ("apnea", ("AHI < 15/h", "AHI >= 15/h"), "1 - macro-F1"),
    ],
)
def test_target_names_its_classes_and_its_error(name, classes, error):
    target = make_target(name, MANIFEST, Predict())
    assert target.name == name
    assert target.classes == classes
    assert target.is_class == bool(classes)
    assert target.error_name == error


def test_cohort_that_tells_nothing_gives_only_missing_values():
    silent = pd.DataFrame({"age_y": [None], "sex": [None], "ahi_per_h": [None]})
    for name in ("age", "sex", "apnea"):
        assert make_target(name, silent, Predict()).y.isna().all()

"""What is predicted, from persons' facts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hypnoflow.config.predict import TargetName
from hypnoflow.predict.targets import TARGETS

PERSONS = pd.DataFrame(
    {
        "age_y": [30.0, None, 71.5, 44.0],
        "sex": [0.0, 1.0, None, 1.0],
        "ahi_per_h": [14.99, 15.0, None, 99.0],
    },
    index=list("dcba"),
)


def values(name: str) -> list[float | None]:
    y = TARGETS[name].of(PERSONS)
    assert y.index.tolist() == list("dcba")
    return [None if np.isnan(v) else v for v in y]


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("age", [30, None, 71.5, 44]),
        ("sex", [0, 1, None, 1]),
        ("apnea_5", [1, 1, None, 1]),
        ("apnea_15", [0, 1, None, 1]),
        ("apnea_30", [0, 0, None, 1]),
    ],
)
def test_target_is_missing_where_its_fact_is_and_apnea_begins_at_the_limit(name, wanted):
    assert values(name) == wanted


def test_log_ahi_is_the_decadic_logarithm_of_the_index_plus_one():
    found = values("log_ahi")
    assert found[3] == 2
    assert found[1] == pytest.approx(1.20412, abs=1e-5)  # log10(16)
    assert found[2] is None


@pytest.mark.parametrize(
    "name, classes, unit",
    [
        ("age", (), "years"),
        ("sex", ("female", "male"), ""),
        ("apnea_15", ("AHI < 15/h", "AHI >= 15/h"), ""),
        ("log_ahi", (), "log10(AHI + 1)"),
    ],
)
def test_target_names_its_classes_or_its_unit(name, classes, unit):
    target = TARGETS[name]
    assert target.name == name
    assert target.classes == classes
    assert target.is_class == bool(classes)
    assert target.unit == unit


def test_every_target_of_the_options_is_there():
    assert set(TARGETS) == set(TargetName.__args__)


def test_cohort_that_tells_nothing_gives_only_missing_values():
    silent = pd.DataFrame({"age_y": [None], "sex": [None], "ahi_per_h": [None]})
    assert all(target.of(silent).isna().all() for target in TARGETS.values())

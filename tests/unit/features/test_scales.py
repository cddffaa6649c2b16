"""Slopes over log10 of the step length."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hypnoflow.features import slopes
from hypnoflow.types import RESOLUTIONS


def table(**columns) -> pd.DataFrame:
    step_s = 30 / np.array(RESOLUTIONS)
    about = {"cohort": "abc", "recording": "one", "person": "p", "steps_per_epoch": RESOLUTIONS, "step_s": step_s}
    return pd.DataFrame({**about, **{name: values(np.log10(step_s)) for name, values in columns.items()}})


def test_straight_line_gives_its_slope_per_tenfold_step():
    found = slopes(table(a=lambda x: 2 - 3 * x, b=lambda x: 0 * x), ["a", "b"])
    assert found["a_slope"].tolist() == pytest.approx([-3])
    assert found["b_slope"].tolist() == pytest.approx([0])


def test_slope_is_that_of_least_squares_over_what_is_known():
    y = np.random.default_rng(1).normal(size=len(RESOLUTIONS))
    y[[0, 5]] = np.nan
    found = slopes(table(a=lambda x: y), ["a"])["a_slope"].item()
    x = np.log10(30 / np.array(RESOLUTIONS))
    assert found == pytest.approx(np.polyfit(x[~np.isnan(y)], y[~np.isnan(y)], 1)[0])


@pytest.mark.parametrize("known", [0, 1, 2])
def test_fewer_than_three_resolutions_have_no_slope(known):
    y = np.full(len(RESOLUTIONS), np.nan)
    y[:known] = 1.0
    assert np.isnan(slopes(table(a=lambda x: y), ["a"])["a_slope"].item())


def test_one_row_per_recording_in_the_order_of_the_table():
    two = table(a=lambda x: -x).assign(recording="two")
    found = slopes(pd.concat([two, table(a=lambda x: x)]), ["a"])
    assert found["recording"].tolist() == ["two", "one"]
    assert found["a_slope"].tolist() == pytest.approx([-1, 1])


def test_by_default_all_but_the_classic_statistics_have_a_slope():
    found = slopes(table(hd_H=lambda x: x, tst_min=lambda x: x))
    assert list(found.columns) == ["cohort", "recording", "person", "hd_H_slope"]

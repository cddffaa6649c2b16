"""Every registered feature returns what its dictionary says, at every resolution."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from hypnoflow.config import Features
from hypnoflow.features import Hypnogram, dictionary, features, sleep_period
from hypnoflow.features.run import recording_features
from hypnoflow.io.scores import StoredScores
from hypnoflow.types import RESOLUTIONS

N_EPOCHS = 40


def hypnogram(kind: str, f: int) -> Hypnogram:
    rng = np.random.default_rng(f)
    n = N_EPOCHS * f
    coarse = np.r_[[0] * 5, rng.integers(0, 5, N_EPOCHS - 10), [0] * 5]
    stage = {
        "random": rng.integers(0, 5, n),
        "repeated": np.repeat(coarse, f),
        "awake": np.zeros(n),
        "asleep throughout": np.full(n, 2),
        "unscored": np.full(n, 9),
        "partly unscored": np.where(rng.random(n) < 0.3, 9, rng.integers(0, 5, n)),
    }[kind].astype(np.uint8)
    period = {"awake": slice(0, 0), "unscored": slice(0, 0), "repeated": slice(5, N_EPOCHS - 5)}
    return Hypnogram(stage, f, period.get(kind, slice(0, N_EPOCHS)))


KINDS = ["random", "repeated", "awake", "asleep throughout", "unscored", "partly unscored"]


@pytest.mark.parametrize("group, kind", list(product(features.names(), KINDS)))
def test_feature_returns_exactly_its_columns_finite_or_nan_at_every_resolution(group, kind):
    each = features.get(group)
    for f in RESOLUTIONS:
        found = each.compute(hypnogram(kind, f), Features())
        assert list(found) == [column.name for column in each.columns]
        assert all(isinstance(value, float | int) and not np.isinf(value) for value in found.values())
        if kind == "random" and f > 1:
            assert all(np.isfinite(value) for value in found.values())


@pytest.mark.parametrize("group", features.names())
def test_feature_depends_on_the_hypnogram(group):
    values = [features.get(group).compute(hypnogram(kind, 16), Features()) for kind in ("random", "asleep throughout")]
    assert values[0] != values[1]


def test_every_column_has_a_name_of_its_own_a_unit_and_a_meaning():
    table = dictionary()
    assert list(table.columns) == ["name", "group", "unit", "meaning", "source"]
    assert table["name"].is_unique
    assert (table[["unit", "meaning", "source"]].map(len) > 0).all().all()
    assert table["name"].str.fullmatch(r"[A-Za-z0-9_]+").all()
    assert table["group"].unique().tolist() == features.names()


def scores(stage_30_s) -> StoredScores:
    rng = np.random.default_rng(3)
    stage = {f: rng.integers(0, 5, len(stage_30_s) * f).astype(np.uint8) for f in RESOLUTIONS}
    stage[1] = np.array(stage_30_s, np.uint8)
    return StoredScores(stage, np.zeros((1, 5), np.float32), 30)


def test_recording_gives_one_row_per_resolution_with_all_columns():
    rows = recording_features(scores([0, 0, 2, 1, 0, 4, 0]), Features())
    assert [row["steps_per_epoch"] for row in rows] == list(RESOLUTIONS)
    assert [row["step_s"] for row in rows] == [30 / f for f in RESOLUTIONS]
    wanted = {"steps_per_epoch", "step_s", *dictionary()["name"]}
    assert all(set(row) == wanted for row in rows)


@pytest.mark.parametrize(
    "stage, period",
    [([0, 0, 2, 0, 4, 0], slice(2, 5)), ([1], slice(0, 1)), ([0, 0], slice(0, 0)), ([], slice(0, 0))],
)
def test_sleep_period_runs_from_the_first_to_the_last_epoch_of_sleep(stage, period):
    assert sleep_period(np.array(stage, np.uint8)) == period


def test_sleep_period_of_the_30_s_hypnogram_delimits_all_resolutions():
    stored = scores([0, 2, 2, 0])
    for f in RESOLUTIONS[1:]:  # awake within that period and asleep outside it
        stored.stage[f][:] = np.repeat([2, 0, 0, 2], f)
    rows = recording_features(stored, Features())
    assert all(np.isnan(row["intrusions_per_h"]) for row in rows[1:])
    assert rows[0]["intrusions_per_h"] == 0


def test_sleep_period_that_is_delimited_lies_inside_the_asleep_steps():
    night = Hypnogram(np.repeat(np.array([0, 2, 4, 0], np.uint8), 4), 4, slice(1, 3))
    assert night.asleep.tolist() == [2, 2, 2, 2, 4, 4, 4, 4]
    assert night.step_s == 7.5

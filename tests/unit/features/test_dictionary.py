"""Every registered feature returns what its dictionary says, at every resolution."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hypnoflow.config.features import Features
from hypnoflow.features import Hypnogram, dictionary, features, sleep_period
from hypnoflow.features.rows import recording_features
from hypnoflow.store.scores import StoredScores
from hypnoflow.types import RESOLUTIONS, UNSCORED

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
    probability = rng.dirichlet(np.full(5, 0.3), n) if f <= 30 else None
    if probability is not None:
        probability[stage == UNSCORED] = np.nan
    return Hypnogram(stage, f, period.get(kind, slice(0, N_EPOCHS)), probability)


KINDS = ["random", "repeated", "awake", "asleep throughout", "unscored", "partly unscored"]


@pytest.mark.parametrize("group, kind", list(product(features.names(), KINDS)))
def test_feature_returns_exactly_its_columns_finite_or_nan_at_every_resolution(group, kind):
    each = features.get(group)
    for f in RESOLUTIONS:
        found = each.compute(hypnogram(kind, f), Features())
        assert list(found) == [column.name for column in each.columns]
        assert all(isinstance(value, float | int) and not np.isinf(value) for value in found.values())
        if kind in ("awake", "unscored") and group != "classic":
            # Never a silent 0: without sleep there is nothing to say, but of wake how often it is broken.
            known = {"microsleeps_per_h", "microsleep_share"} if kind == "awake" else set()
            assert all(np.isnan(value) for name, value in found.items() if name not in known)


# Every group of features is known here, with the file of its hand-made cases and the number of its columns.
HAND_MADE = {
    "classic": ("test_classic.py", 14),
    "transitions": ("test_transitions.py", 41),
    "fragmentation": ("test_transitions.py", 6),
    "bouts": ("test_bouts.py", 35),
    "hypnodensity": ("test_density.py", 42),
    "intrusions": ("test_intrusions.py", 10),
    "microsleeps": ("test_microsleep.py", 3),
    "stability": ("test_stability.py", 5),
    "triplets": ("test_triplets.py", 80),
}


def test_every_feature_has_hand_made_cases():
    assert {group: len(each.columns) for group, each in features} == {g: n for g, (_, n) in HAND_MADE.items()}
    for group, (file, _) in HAND_MADE.items():
        source = (Path(__file__).parent / file).read_text()
        assert f'"{group}"' in source or group in ("classic",), group


@pytest.mark.parametrize("group", features.names())
def test_a_restless_night_defines_every_column_at_some_resolution(group):
    found = [features.get(group).compute(restless(f), Features()) for f in (1, 16, 128)]
    never = [name for name in found[0] if all(np.isnan(row[name]) for row in found)]
    assert never == []


def restless(f: int) -> Hypnogram:
    """Return 6.5 h of sleep in bouts of minutes, cut by short wake, and of wake cut by short sleep."""
    rng = np.random.default_rng(12)
    coarse = np.concatenate([[0] * 20, np.repeat(rng.integers(0, 5, 195), 4), [0] * 20])
    stage = np.repeat(coarse, f).astype(np.uint8)
    for at in np.arange(20, 800, 2):
        length = int(rng.uniform(3, 12) * f / 30)
        start = at * f + f // 3
        stage[start : start + length] = np.where(stage[start : start + length] == 0, 2, 0)
    stage[800 * f :] = 0
    probability = 0.7 * np.eye(5)[stage] + 0.3 * rng.dirichlet(np.ones(5), len(stage)) if f <= 30 else None
    return Hypnogram(stage, f, slice(20, 800), probability)


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
    return StoredScores(stage, rng.dirichlet(np.ones(5), 30 * len(stage_30_s)).astype(np.float32), 30)


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


@pytest.mark.parametrize("stage_30_s", [[2] * 20, [0] * 20, [9] * 20, [9, 9, 2, 9, 0, 4] * 3, [0, 2], [4]])
def test_odd_nights_give_every_column_without_an_error(stage_30_s):
    """Ten minutes of one stage, no sleep, nothing scored, gaps, two epochs, one."""
    stored = scores(stage_30_s)
    stage = {f: np.repeat(np.array(stage_30_s, np.uint8), f) for f in RESOLUTIONS}
    p = np.eye(5, dtype=np.float32)[np.where(stage[1] < 5, stage[1], 0)]
    p[stage[1] == UNSCORED] = np.nan
    rows = recording_features(StoredScores(stage, np.repeat(p, 30, axis=0), stored.steps_per_epoch), Features())
    assert len(rows) == len(RESOLUTIONS)
    assert not any(np.isinf(value) for row in rows for value in row.values())


def test_hypnodensity_is_known_up_to_the_resolution_it_is_stored_at():
    rows = recording_features(scores([0, 0, 2, 1, 0, 4, 0]), Features())
    assert [row["steps_per_epoch"] for row in rows if np.isfinite(row["hd_H"])] == [1, 2, 4, 8, 16]


def test_sleep_period_that_is_delimited_lies_inside_the_asleep_steps():
    night = Hypnogram(np.repeat(np.array([0, 2, 4, 0], np.uint8), 4), 4, slice(1, 3))
    assert night.asleep.tolist() == [2, 2, 2, 2, 4, 4, 4, 4]
    assert night.step_s == 7.5

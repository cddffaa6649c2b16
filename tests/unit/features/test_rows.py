"""The table of features: the same in parts, in processes and at once."""

from __future__ import annotations

import dask
import numpy as np
import pandas as pd
import pytest

from hypnoflow.config.features import Features
from hypnoflow.config.run_options import Run
from hypnoflow.dask import dask_scheduler
from hypnoflow.features import TRIPLETS, dictionary
from hypnoflow.features import rows as run
from hypnoflow.features.rows import hypnograms, recording_blocks, tables, write_features
from hypnoflow.store.scores import StoredScores, read_scores, write_scores
from hypnoflow.types import RESOLUTIONS

N_EPOCHS = 200


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Return the split table and the stores of three recordings in two shards."""
    folder = tmp_path_factory.mktemp("scores")
    rng = np.random.default_rng(4)
    rows = []
    for number in range(3):
        coarse = np.repeat(rng.integers(0, 5, N_EPOCHS // 4), 4).astype(np.uint8)
        stage = {f: np.repeat(coarse, f) for f in RESOLUTIONS}
        for f in RESOLUTIONS[1:]:
            stage[f][rng.integers(0, len(stage[f]), 100)] = 0
        p = rng.dirichlet(np.ones(5), N_EPOCHS * 30).astype(np.float32)
        shard = f"00{number // 2}"
        write_scores(folder / "abc" / f"{shard}.zarr", f"r{number}", StoredScores(stage, p, 30), {}, {})
        about = {"cohort": "abc", "shard": shard, "recording": f"r{number}", "person": f"p{number}"}
        rows.append({**about, "group": None, "split": "test"})
    return pd.DataFrame(rows), folder


@pytest.fixture(scope="module")
def table(scored):
    return tables(*scored, Features())[0]


def written(split, scores, out):
    parts = out.with_suffix(".parts")
    parts.mkdir()
    return write_features(split, scores, Features(), out, parts)


def test_rows_stand_in_the_order_of_the_split_with_its_columns(scored, table):
    split, _ = scored
    assert len(table) == 3 * len(RESOLUTIONS)
    assert list(table.columns) == [*split.columns, "steps_per_epoch", "step_s", *dictionary()["name"]]
    assert table["recording"].drop_duplicates().tolist() == split["recording"].tolist()


@pytest.mark.parametrize(
    "kind", ["threads", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("processes", "distributed"))]
)
def test_written_in_parts_it_is_the_same_table(scored, table, tmp_path, monkeypatch, kind):
    split, folder = scored
    monkeypatch.setattr(run, "PART", 2)
    out = tmp_path / "anysleep.parquet"
    with dask_scheduler(Run(dask=kind, threads=2)):
        assert written(split, folder, out) == 3 * len(RESOLUTIONS)
    pd.testing.assert_frame_equal(pd.read_parquet(out), table, check_dtype=False)


def test_dask_runs_it_where_it_is_told_to(scored, tmp_path):
    split, folder = scored
    asked = []

    def elsewhere(graph, keys, **options):
        asked.append(len(keys))
        return dask.get(graph, keys)

    with dask.config.set(scheduler=elsewhere):
        written(split.iloc[:1], folder, tmp_path / "made.parquet")
    assert len(asked) == 1


def test_blocks_hold_the_raw_counts_of_each_90_min(scored, tmp_path):
    split, folder = scored
    out = tmp_path / "anysleep.parquet"
    written(split, folder, out)
    blocks = pd.read_parquet(out.with_suffix(".blocks.parquet"))
    names = [f"triplet_{a}_{b}_{c}" for a, b, c in [[("W", "N1", "N2", "N3", "R")[i] for i in t] for t in TRIPLETS]]
    assert blocks["block"].max() == 1  # 200 epochs are 180 and up to 20
    assert (blocks["scored_h"] <= 1.5).all()
    rates = pd.read_parquet(out).set_index(["recording", "steps_per_epoch"])[names]
    sums = blocks.groupby(["recording", "steps_per_epoch"])[[*names, "scored_h"]].sum()
    np.testing.assert_allclose(rates, sums[names].div(sums["scored_h"], axis=0).loc[rates.index])


def test_a_night_without_sleep_has_rows_of_features_and_no_block():
    stage = {f: np.zeros(20 * f, np.uint8) for f in RESOLUTIONS}
    nights = list(hypnograms(StoredScores(stage, np.full((20, 5), 0.2), 1)))
    assert recording_blocks(nights, Features()) == []


def test_no_recordings_give_an_empty_table_with_all_columns(scored, tmp_path):
    split, folder = scored
    written(split.iloc[:0], folder, tmp_path / "none.parquet")
    table = pd.read_parquet(tmp_path / "none.parquet")
    assert table.empty
    assert set(dictionary()["name"]) <= set(table.columns)


def test_each_hypnogram_has_the_density_of_its_own_steps(scored):
    _, folder = scored
    found = read_scores(folder / "abc" / "000.zarr", "r0")
    for night in hypnograms(found):
        if night.steps_per_epoch <= 30:
            assert night.probability.shape == (len(night.stage), 5)
        else:
            assert night.probability is None

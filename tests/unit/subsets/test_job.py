"""The ablation of a shard with a tiny network, against that network called on the channels themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from tests.contract.test_models import at_once
from tests.numerics import UNIT, in_double, leads_by, rounding
from zarr.codecs import BloscCodec

from hypnoflow.checkpoints.checkpoint import Trained, load_checkpoint, save_checkpoint
from hypnoflow.config.evaluate import Subsets
from hypnoflow.config.run_options import Run
from hypnoflow.errors import CheckpointError
from hypnoflow.models.anysleep import AnySleep
from hypnoflow.models.parts.size import UNetSize
from hypnoflow.score.subsets import SubsetScorer
from hypnoflow.stats.confusion import COUNTS, confusion
from hypnoflow.subsets.choose import PAIRED
from hypnoflow.subsets.job import score_subsets, subsets_files

EPOCH, N_EPOCHS, CLIP = 3840, 6, 20.0
SIX = ["F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1"]
ABOUT = {"version": 1, "clip_iqr": CLIP}
LZ4 = BloscCodec(typesize=2, cname="lz4", shuffle="bitshuffle")

pytestmark = pytest.mark.usefixtures("one_thread")


def write(store, name, eeg, stage, rng):
    group = zarr.open_group(store / name, mode="w", zarr_format=3)
    group.attrs.update({"preprocessing_version": 1, "clip_iqr": CLIP})
    for kind, labels in (("eeg", eeg), ("eog", ["E1-M2", "E2-M2"])):
        x = (3000 * rng.standard_normal((len(labels), N_EPOCHS * EPOCH))).astype(np.int16)
        parts = [label.partition("-") for label in labels]
        facts = {"channel": labels, "electrode": [p[0] for p in parts], "reference": [p[2] for p in parts]}
        layout = {"chunks": (1, 5 * EPOCH), "shards": (len(labels), 10 * EPOCH), "compressors": LZ4}
        group.create_array(kind, data=x, attributes={"scale_factor": CLIP / 32767, **facts}, **layout)
    group.create_array("stage", data=np.array(stage, np.uint8))


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """A shard of five recordings: two that fit, one seen in training, one of two channels, one without labels."""
    folder = tmp_path_factory.mktemp("ablate")
    store, rng = folder / "harmonized" / "x" / "000.zarr", np.random.default_rng(1)
    names = {"fit1": "test", "fit2": "held_out", "seen": "train", "few": "test", "bare": "test"}
    for name in names:
        eeg = SIX[2:4] if name == "few" else SIX
        write(store, name, eeg, [9] * 6 if name == "bare" else [0, 1, 2, 3, 4, 9], rng)
    who = list(names)
    columns = {"cohort": "x", "shard": "000", "recording": who, "person": who, "group": who}
    split = pd.DataFrame({**columns, "split": list(names.values())})
    return store, split


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    paths = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        net = AnySleep(UNetSize(depth=6, complexity=0.1, attention_hidden=4))
        paths.append(folder / f"seed{seed}.ckpt")
        save_checkpoint(
            paths[-1], Trained("anysleep", "anysleep", net.options), net.state_dict(), preprocessing=ABOUT, training={}
        )
    return paths


def scorers(checkpoints):
    return {path.stem: SubsetScorer(path) for path in checkpoints}


@pytest.fixture(scope="module")
def ablated(shard, checkpoints):
    options = Subsets(kind="all", most_eeg=2, draws=3)
    return score_subsets(shard[1], shard[0], scorers(checkpoints), options, seed=3)


def test_only_unseen_recordings_with_labels_and_enough_channels_enter_each_analysis(ablated):
    rows, attention = ablated
    by = rows.groupby("analysis")["recording"].unique().map(set)
    assert by["count"] == {"fit1", "fit2", "few"}  # two EEG are enough for `most_eeg` 2
    assert by["pairs"] == {"fit1", "fit2"} == set(attention["recording"])


def test_every_cell_of_an_analysis_holds_the_same_recordings_and_runs(ablated):
    for _, rows in ablated[0].groupby("analysis"):
        cells = rows.groupby("cell")[["recording", "seed"]].apply(lambda part: frozenset(map(tuple, part.to_numpy())))
        assert cells.nunique() == 1


def test_counts_are_those_of_the_network_on_these_channels(ablated, shard, checkpoints):
    store = zarr.open_group(shard[0] / "fit1", mode="r")
    x = np.concatenate([store[kind][:] for kind in ("eeg", "eog")]).astype(np.float32) * np.float32(CLIP / 32767)
    labels = [*SIX, "E1-M2", "E2-M2"]
    rows = ablated[0][ablated[0]["recording"] == "fit1"]
    assert len(rows) > 60
    unsure = 0
    for path, each in rows.groupby("seed"):
        net = in_double(load_checkpoint(next(p for p in checkpoints if p.stem == path)).model)
        for row in each.itertuples():
            channels = [labels.index(label) for label in row.channels.split(", ")]
            signals = torch.from_numpy(x[channels])[None].double()
            with torch.inference_mode():
                logits = at_once(net, signals, 1)[0].numpy()
                bound = rounding(lambda net=net, signals=signals: at_once(net, signals, 1), draws=1)
            wanted, either = confusion(store["stage"][:], logits.argmax(-1)), (~leads_by(logits, 2 * bound)).sum()
            counts = np.array([getattr(row, name) for name in COUNTS])
            assert np.abs(counts - wanted.ravel()).sum() <= 2 * either  # 0 but where rounding decides
            unsure += either
            assert row.n_epochs == 5
            assert (row.n_eeg, row.n_eog) == (sum(c < 6 for c in channels), sum(c >= 6 for c in channels))
    assert unsure <= 0.05 * 6 * len(rows)


def test_attention_is_among_the_seven_channels_of_the_pair_matrix_and_sums_to_one(ablated):
    attention = ablated[1]
    assert set(attention["electrode"]) == set(PAIRED)
    assert attention["level"].max() == 7  # six skips and the connector
    sums = attention.groupby(["recording", "seed", "level"])["weight"].agg(["sum", "size"])
    assert np.allclose(sums["sum"], 1, rtol=0, atol=16 * UNIT)
    assert (sums["size"] == 7).all()


def test_the_same_seed_gives_the_same_draws_and_recordings_do_not_move_each_others(shard, checkpoints, ablated):
    options = Subsets(kind="count", most_eeg=2, draws=3)
    split = shard[1]
    again, _ = score_subsets(split[split["recording"] == "fit2"], shard[0], scorers(checkpoints[:1]), options, seed=3)
    first = ablated[0].query("recording == 'fit2' and seed == 'seed1' and analysis == 'count'")
    pd.testing.assert_frame_equal(again, first.reset_index(drop=True))
    other, _ = score_subsets(split[split["recording"] == "fit2"], shard[0], scorers(checkpoints[:1]), options, seed=4)
    assert other["channels"].tolist() != again["channels"].tolist()


def test_a_shard_without_anyone_to_score_gives_empty_tables_with_columns(shard, checkpoints):
    seen = shard[1][shard[1]["split"] == "train"]
    rows, attention = score_subsets(seen, shard[0], scorers(checkpoints), Subsets(kind="all"), seed=1)
    assert rows.empty
    assert attention.empty
    assert {"cell", "seed", *COUNTS} <= set(rows.columns)


def test_signals_harmonized_otherwise_than_in_training_are_refused(shard, tmp_path):
    torch.manual_seed(1)
    net = AnySleep(UNetSize(depth=2, complexity=0.1, attention_hidden=4))
    path = tmp_path / "seed1.ckpt"
    about = {"version": 1, "clip_iqr": 5.0}
    save_checkpoint(
        path, Trained("anysleep", "anysleep", net.options), net.state_dict(), preprocessing=about, training={}
    )
    with pytest.raises(CheckpointError, match="5.0"):
        score_subsets(shard[1], shard[0], scorers([path]), Subsets(kind="all"), seed=1)


PAIRS = Subsets(kind="pairs")


def test_the_job_writes_both_tables_of_its_shard_only(shard, checkpoints, tmp_path):
    store, split = shard
    elsewhere = split.assign(shard="001", recording="other")
    pd.concat([split, elsewhere]).to_parquet(tmp_path / "split.parquet")
    (store.with_suffix(".json")).write_text('{"recordings": {"fit1": "", "few": ""}}')
    out = tmp_path / "x" / "000.parquet"
    subsets_files(
        store, checkpoints[:1], tmp_path / "split.parquet", out, Subsets(kind="pairs"), Run(device="cpu"), seed=3
    )
    assert set(pd.read_parquet(out)["recording"]) == {"fit1"}
    assert len(pd.read_parquet(out)) == 28
    assert len(pd.read_parquet(out.with_suffix(".attention.parquet"))) == 49

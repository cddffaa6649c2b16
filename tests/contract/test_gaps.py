"""A night with a gap, from the EDF+D file to the store: nothing moves, the gap is unscored and zero."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from edfio import read_edf
from tests.edf_bytes import Raw, Tals, edf_bytes

from hypnoflow.checkpoints.checkpoint import Trained, save_checkpoint
from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.features import Features
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.config.score import Score
from hypnoflow.features.rows import recording_features
from hypnoflow.harmonize.job import harmonize_shard
from hypnoflow.models.anysleep import AnySleep
from hypnoflow.models.parts.size import UNetSize
from hypnoflow.night.gaps import in_gaps
from hypnoflow.score.job import score_shard
from hypnoflow.store.scores import read_scores
from hypnoflow.store.store import open_recording, preprocessing, read_stage
from hypnoflow.store.store_files import zarr_attrs
from hypnoflow.types import UNSCORED

LOST = range(12, 40)  # records, each one epoch


def number(value):
    return f"{value:.8g}"[:8]


def drop_records(path, lost):
    """Write a Sleep-EDF night again as EDF+D without the records `lost`."""
    edf = read_edf(path)
    kept = [i for i in range(edf.num_data_records) if i not in lost]
    signals = [
        Raw(
            s.digital.reshape(edf.num_data_records, -1)[kept],
            s.label,
            s.physical_dimension,
            (number(s.physical_min), number(s.physical_max)),
            (number(s.digital_min), number(s.digital_max)),
        )
        for s in edf.signals
    ]
    record_s = edf.data_record_duration
    tals = Tals([f"+{i * record_s:g}" for i in kept])
    path.write_bytes(edf_bytes([*signals, tals], record_s=number(record_s), reserved="EDF+D"))


@pytest.fixture
def gapped(simulated, tmp_path):
    """Return (store, name) of a whole night and of the same night with `LOST` records missing."""
    stores = []
    for folder in ("whole", "gapped"):
        root = tmp_path / folder / "sedf-sc"
        shutil.copytree(simulated("sedf-sc"), root)
        manifest = index_cohort("sedf-sc", root, 50)[0].iloc[:1]
        if folder == "gapped":
            drop_records(root / manifest["signal_path"].iloc[0], LOST)
        store = tmp_path / folder / "000.zarr"
        table = harmonize_shard(manifest, root, store, Harmonize(), on_error="abort")
        stores.append((store, manifest["recording"].iloc[0], table.iloc[0]))
    return stores


def test_a_gap_is_unscored_and_zero_and_the_rest_of_the_night_stays_where_it_was(gapped):
    (whole, name, _), (store, _, qc) = gapped
    expected, stage = read_stage(whole, name), read_stage(store, name)
    lost = np.isin(np.arange(len(expected)), LOST)
    assert (expected[lost] != UNSCORED).any()
    np.testing.assert_array_equal(stage, np.where(lost, UNSCORED, expected))
    a, b = open_recording(whole, name)["eeg"], open_recording(store, name)["eeg"]
    assert a.shape == b.shape
    in_gap = np.repeat(lost, 3840)[: a.shape[1]]
    assert (b.values[:, in_gap] == 0).all()
    away = ~(in_gap | np.roll(in_gap, 128) | np.roll(in_gap, -128))
    for x, y in zip(a.values, b.values, strict=True):
        slope, offset = np.polyfit(x[away], y[away], 1)  # another median and range, else the same samples
        assert np.abs(slope * x[away] + offset - y[away]).max() < 0.01
    assert zarr_attrs(store / name)["gaps_s"] == [[360, 1200]]
    assert "1 gap, 840 s" in qc["warnings"]
    assert qc["dropped"] == ""


def scored(store, name, folder):
    """Return the scores of a store by a network with random weights."""
    network = UNetSize(depth=4, first_filters=3)
    checkpoint = folder / "any.pt"
    way = preprocessing(zarr_attrs(store / name))
    weights = AnySleep(network).state_dict()
    save_checkpoint(checkpoint, Trained("anysleep", "anysleep", network), weights, preprocessing=way, training={})
    score_shard(store, [checkpoint], folder / "scores.zarr", Score(), threads=1, device="cpu")
    return read_scores(folder / "scores.zarr", name)


def test_the_scores_of_a_night_with_a_gap_say_nothing_there(gapped, tmp_path):
    _, (store, name, _) = gapped
    found = scored(store, name, tmp_path)
    lost = np.isin(np.arange(len(found.stage[1])), LOST)
    for f, stage in found.stage.items():
        np.testing.assert_array_equal(stage == UNSCORED, np.repeat(lost, f))
    np.testing.assert_array_equal(np.isnan(found.probability).all(1), np.repeat(lost, found.steps_per_epoch))
    for row in recording_features(found, Features()):
        assert row["tst_min"] <= 0.5 * np.count_nonzero(~lost)


def test_a_gap_within_an_epoch_is_unscored_where_steps_are_as_short(gapped, tmp_path):
    (store, name, _), _ = gapped
    metadata = store / name / "zarr.json"
    content = json.loads(metadata.read_text())
    content["attributes"]["gaps_s"] = [[1500, 1512]]
    metadata.write_text(json.dumps(content))
    found = scored(store, name, tmp_path)
    assert UNSCORED not in found.stage[1]  # 12 of the epoch's 30 s
    assert np.flatnonzero(found.stage[2] == UNSCORED).tolist() == [100]  # 12 of 15 s
    assert np.flatnonzero(found.stage[4] == UNSCORED).tolist() == [200, 201]  # 7.5 s, and 4.5 of 7.5 s
    assert np.flatnonzero(found.stage[128] == UNSCORED).tolist() == list(range(6400, 6451))  # 51.2 steps
    assert found.steps_per_epoch == 30
    assert np.flatnonzero(np.isnan(found.probability).any(1)).tolist() == list(range(1500, 1512))


def test_an_epoch_is_lost_to_gaps_by_half_or_more():
    gaps = [(14, 30), (45, 60), (61, 75.9), (90, 97), (100, 109), (240, 400)]
    assert np.flatnonzero(in_gaps(gaps, 9)).tolist() == [0, 1, 3, 8]
    assert not in_gaps([], 9).any()

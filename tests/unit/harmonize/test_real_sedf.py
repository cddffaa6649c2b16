"""A real Sleep-EDF night, cut to five minutes, from its native files to scores."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from edfio import Edf, EdfAnnotation, read_edf

from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.harmonize.job import harmonize_shard
from hypnoflow.models import build_model
from hypnoflow.store.store import open_recording

SECONDS = 300


@pytest.fixture(scope="module")
def night(real_data, tmp_path_factory):
    """Return (dataset, store, QC table, manifest), made with every warning turned into an error."""
    folder = tmp_path_factory.mktemp("sedf")
    cassette = folder / "raw" / "sleep-cassette"
    cassette.mkdir(parents=True)
    (cassette / "SC4001E0-PSG.edf").symlink_to(real_data / "sedf_short_psg.edf")
    (folder / "raw" / "SC-subjects.xls").symlink_to(real_data / "sedf_SC-subjects.xls")
    write_hypnogram(real_data / "SC4001EC-Hypnogram.edf", cassette / "SC4001EC-Hypnogram.edf")
    store = folder / "000.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manifest, problems = index_cohort("sedf-sc", folder / "raw", 50)
        qc = harmonize_shard(manifest, folder / "raw", store, Harmonize())
        data = open_recording(store, "SC4001").load()
    assert problems == []
    return data, store, qc, manifest


def write_hypnogram(source, target):
    """Write the first five minutes of a hypnogram."""
    clipped = [
        EdfAnnotation(a.onset, min(a.duration, SECONDS - a.onset), a.text)
        for a in read_edf(source).annotations
        if a.onset < SECONDS
    ]
    Edf([], annotations=clipped).write(target)


@pytest.fixture(scope="module")
def raw(real_data):
    """The file's signals as edfio reads them, by label."""
    return {s.label: s.data for s in read_edf(real_data / "sedf_short_psg.edf").signals}


def test_the_person_is_the_tables_first(night):
    (row,) = night[3].to_dict("records")
    assert (row["recording"], row["person"], row["visit"]) == ("SC4001", "SC400", "1")
    assert (row["age_y"], row["sex"], row["simulated"]) == (33, "female", False)


def test_all_ten_epochs_are_wake(night):
    np.testing.assert_array_equal(night[0]["stage"].values, np.zeros(10))
    assert (night[2]["status"][0], night[2]["n_epochs"][0], night[2]["scored_share"][0]) == ("ok", 10, 1)


def test_nothing_was_odd_about_the_night(night):
    assert (night[2]["warnings"][0], night[2]["hypnogram_excess_s"][0]) == ("", 0)
    assert night[0].attrs["start"] == "1989-04-24T16:13:00"
    assert night[0].attrs["crop_s"] == 0
    assert (night[2]["qc_score"][0], night[2]["bad_epoch_share"][0], night[2]["remarks"][0]) == (1, 0, "")


def test_channels_kinds_and_rates_are_those_of_the_file(night):
    data = night[0]
    labels = {kind: data[f"{kind}_channel"].values.tolist() for kind in ("eeg", "eog", "emg", "resp")}
    assert labels == {"eeg": ["Fpz-Cz", "Pz-Oz"], "eog": ["EOG"], "emg": ["Chin"], "resp": ["Airflow"]}
    assert {kind: data[kind].attrs["rate_hz"] for kind in labels} == {"eeg": 128, "eog": 128, "emg": 1, "resp": 1}
    assert data["eeg"].shape == (2, SECONDS * 128)
    assert data["eeg_source_rate_hz"].values.tolist() == [100, 100]
    assert "ecg" not in data


@pytest.mark.parametrize(("i", "label"), [(0, "EEG Fpz-Cz"), (1, "EEG Pz-Oz")])
def test_median_and_spread_of_the_eeg_are_those_of_the_file_in_microvolts(night, raw, i, label):
    eeg = night[0]["eeg"]
    low, median, high = np.percentile(raw[label], (25, 50, 75))
    assert 1 < high - low < 200
    assert float(eeg["eeg_iqr_uv"][i]) == pytest.approx(high - low, rel=0.05)
    assert float(eeg["eeg_median_uv"][i]) == pytest.approx(median, abs=1)
    assert abs(median) < 20


def test_the_eeg_in_microvolts_is_the_files_at_a_common_instant(night, raw):
    eeg = night[0]["eeg"][0]
    uv = eeg.values * float(eeg["eeg_iqr_uv"]) + float(eeg["eeg_median_uv"])
    # Every 32nd sample at 128 Hz falls on every 25th at 100 Hz.
    both = np.corrcoef(uv[::32][4:-4], raw["EEG Fpz-Cz"][::25][4:-4])
    assert both[0, 1] > 0.98


def test_the_documented_call_opens_the_recording_without_a_warning(night):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = xr.open_zarr(night[1], group="SC4001")
    assert data["eeg"].shape == (2, SECONDS * 128)


def test_an_untrained_network_scores_the_night_at_any_resolution(night):
    torch.manual_seed(0)
    model = build_model("anysleep", complexity=0.1).eval()
    x = np.concatenate([night[0][kind].values for kind in ("eeg", "eog")]).astype(np.float32)
    with torch.inference_mode():
        logits = model.logits(torch.from_numpy(x)[None], None, [1, 30])
    assert {f: tuple(found.shape) for f, found in logits.items()} == {1: (1, 10, 5), 30: (1, 300, 5)}
    assert all(bool(torch.isfinite(found).all()) for found in logits.values())

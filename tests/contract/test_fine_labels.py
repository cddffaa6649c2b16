"""Labels of 5 s from a folder of files to the store, beside those of 30 s."""

from __future__ import annotations

import edfio
import numpy as np
import pandas as pd
import pytest

from hypnoflow.config.harmonize import Harmonize
from hypnoflow.direct.harmonize import given_rows
from hypnoflow.harmonize.job import harmonize_shard
from hypnoflow.store.store import read_fine_stage, read_stage, recordings

WORDS = ("W", "N1", "N2", "N3", "R")
N_EPOCHS = 12


@pytest.fixture
def night(tmp_path, rng):
    """Return (folder, stages of 5 s): epochs of one stage with up to two parts of another."""
    fine = np.repeat(rng.integers(0, 5, N_EPOCHS), 6)
    for epoch in range(N_EPOCHS):
        fine[6 * epoch + rng.choice(6, 2, replace=False)] = rng.integers(0, 5)
    signals = [
        edfio.EdfSignal(20 * rng.standard_normal(128 * 30 * N_EPOCHS), 128, label=label, physical_dimension="uV")
        for label in ("C3-M2", "E1-M2")
    ]
    edfio.Edf(signals).write(tmp_path / "night.edf")
    table = {"onset": 5.0 * np.arange(len(fine)), "duration": 5.0, "stage": [WORDS[code] for code in fine]}
    pd.DataFrame(table).to_csv(tmp_path / "night.csv", index=False)
    return tmp_path, fine


def test_labels_of_5_s_are_stored_as_they_are_and_those_of_30_s_by_their_larger_part(night, tmp_path):
    folder, fine = night
    rows, section, failed = given_rows([folder], None, {})
    assert not failed
    store = tmp_path / "000.zarr"
    harmonize_shard(rows, section, store, Harmonize(label_s=5.0), on_error="abort")
    (name,) = recordings(store)
    assert read_fine_stage(store, name, 5.0).tolist() == fine.tolist()
    larger = [np.bincount(part).argmax() for part in fine.reshape(-1, 6)]  # at least four of six
    assert read_stage(store, name).tolist() == larger


def test_without_the_option_there_are_no_finer_labels(night, tmp_path):
    rows, section, _ = given_rows([night[0]], None, {})
    harmonize_shard(rows, section, tmp_path / "000.zarr", Harmonize(), on_error="abort")
    (name,) = recordings(tmp_path / "000.zarr")
    assert not (tmp_path / "000.zarr" / name / "stage_fine").exists()

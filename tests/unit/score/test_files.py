"""Scoring of recordings given by hand: gaps stay unscored, bad channels are left out, any format is opened."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from tests.edf_bytes import Raw, Tals, edf_bytes
from tests.mne_files import write_brainvision

from hypnoflow.config import Network, Score
from hypnoflow.models import build_model
from hypnoflow.models._checkpoint import save_checkpoint
from hypnoflow.score.files import score_file, score_files
from hypnoflow.score.infer import Scorer, Scores
from hypnoflow.types import RESOLUTIONS, UNSCORED

NETWORK = Network(depth=6, complexity=0.1, attention_hidden=4)
RATE_HZ = 100


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.pt"
    model = build_model("anysleep", **NETWORK.model_dump())
    about = {"version": 1, "clip_iqr": 20.0}
    save_checkpoint(path, "anysleep", model.state_dict(), NETWORK, preprocessing=about, training={})
    return path


def noise(rng, seconds):
    """Return 1/f noise of about 20 uV as the digital values of records of 1 s."""
    spectrum = rng.normal(size=(2, seconds * RATE_HZ // 2 + 1)) / np.sqrt(1 + np.arange(seconds * RATE_HZ // 2 + 1))
    x = np.fft.irfft(spectrum[0] + 1j * spectrum[1])
    return np.round(3000 * x / x.std()).astype(int).reshape(seconds, RATE_HZ)


def write_gapped(path, rng):
    """Write 300 s as EDF+D: 100 s, then 80 s without data, then 120 s; C4-M1 was not plugged in."""
    eeg, other = noise(rng, 220), noise(rng, 220)
    onsets = [f"+{i if i < 100 else i + 80}" for i in range(220)]
    flat = np.zeros((220, RATE_HZ), int)
    signals = [Raw(eeg, "C3-M2"), Raw(other, "E1-M2"), Raw(flat, "C4-M1"), Tals(onsets)]
    path.write_bytes(edf_bytes(signals, reserved="EDF+D"))
    return path


def test_epochs_by_half_or_more_in_gaps_have_no_stage_and_no_probabilities(tmp_path, rng, checkpoint):
    path = write_gapped(tmp_path / "night.edf", rng)
    assert score_files([path], [checkpoint], tmp_path, Score(hypnodensity_steps=2), threads=1, device="cpu") == []
    table = pd.read_csv(tmp_path / "night.hypnogram.csv")
    # The gap from 100 to 180 s takes 20 s of the fourth epoch, and all of the fifth and sixth.
    assert np.flatnonzero(table["stage"] == "?").tolist() == [3, 4, 5]
    assert set(table["stage"]) <= {"W", "N1", "N2", "N3", "R", "?"}
    density = pd.read_csv(tmp_path / "night.hypnodensity.csv")
    p = density.filter(like="p_")
    assert density["onset_s"].tolist() == [15 * i for i in range(20)]
    assert np.flatnonzero(p.isna().all(axis=1)).tolist() == [6, 7, 8, 9, 10, 11]
    np.testing.assert_allclose(p.dropna().sum(axis=1), 1, atol=1e-4)
    assert len(p.dropna()) == 14


def test_epochs_without_data_are_unscored_at_every_resolution():
    stage = {f: np.full(3 * f, 2, np.uint8) for f in RESOLUTIONS}
    scores = Scores(stage, np.full((90, 5), 0.2, np.float32), 30).without(np.array([False, True, False]))
    for f in RESOLUTIONS:
        assert scores.stage[f].dtype == np.uint8
        np.testing.assert_array_equal(scores.stage[f], np.repeat([2, UNSCORED, 2], f))
    assert np.isnan(scores.probability[30:60]).all()
    assert not np.isnan(scores.probability[:30]).any()
    assert scores.probability.dtype == np.float32


def test_a_channel_that_fails_the_quality_gate_is_left_out_and_said(tmp_path, rng, checkpoint, caplog):
    path = write_gapped(tmp_path / "night.edf", rng)
    done = score_file(path, Scorer([checkpoint], "cpu"), tmp_path)
    assert [pick.label for pick in done.channels] == ["C3-M2", "E1-M2"]
    assert list(done.dropped) == ["C4-M1"]
    with caplog.at_level(logging.INFO):
        score_files([path], [checkpoint], tmp_path, Score(), threads=1, device="cpu")
    assert "dropped C4-M1: " in caplog.text
    assert "10 epochs" in caplog.text
    assert "? 3)" in caplog.text
    assert "from C3-M2, E1-M2" in caplog.text


def test_what_is_not_edf_is_opened_too(tmp_path, rng, checkpoint):
    x = noise(rng, 180).reshape(3, -1) / 150
    path = write_brainvision(tmp_path, x)
    assert score_files([path], [checkpoint], tmp_path, Score(), threads=1, device="cpu") == []
    assert len(pd.read_csv(tmp_path / "night.hypnogram.csv")) == 2


def test_a_file_of_no_known_format_is_reported_and_the_others_scored(tmp_path, rng, checkpoint):
    (tmp_path / "night.doc").write_text("no recording")
    paths = [tmp_path / "night.doc", write_gapped(tmp_path / "other.edf", rng)]
    (error,) = score_files(paths, [checkpoint], tmp_path, Score(), threads=1, device="cpu")
    assert "no reader for .doc" in str(error)
    assert "night.doc" in str(error)
    assert (tmp_path / "other.hypnogram.csv").exists()

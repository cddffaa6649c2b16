"""Scoring of one file: gaps stay unscored at every step, bad channels are left out, any format is opened."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from tests.edf_bytes import Raw, edf_bytes
from tests.mne_files import write_brainvision
from tests.nights import RATE_HZ, noise, write_checkpoint, write_gapped, write_night
from tests.numerics import UNIT

from hypnoflow.direct.score import score_file
from hypnoflow.errors import RecordingError
from hypnoflow.score import infer
from hypnoflow.score.infer import Scores, open_scorer
from hypnoflow.store import room
from hypnoflow.types import RESOLUTIONS, UNSCORED


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    return open_scorer([write_checkpoint(tmp_path_factory.mktemp("net") / "net.pt")], threads=1, device="cpu")


def test_steps_by_half_or_more_in_gaps_and_all_of_such_epochs_are_unscored(tmp_path, rng, scorer):
    path = write_gapped(tmp_path / "night.edf", rng)
    done = score_file(path, scorer, stages=(1, 2, 30), densities=(2, 1, 30))
    # The gap from 100 to 180 s takes 20 s of the fourth epoch, and all of the fifth and sixth.
    for f in (1, 2, 30):
        lost = np.repeat(np.isin(np.arange(10), [3, 4, 5]), f)
        np.testing.assert_array_equal(done.scores.stage[f] == UNSCORED, lost)
        np.testing.assert_array_equal(np.isnan(done.scores.densities[f]).all(1), lost)
        np.testing.assert_allclose(done.scores.densities[f][~lost].sum(1), 1, rtol=0, atol=16 * UNIT)
    np.testing.assert_array_equal(done.scores.probability, done.scores.densities[2])
    assert done.gaps_s == [(100, 180)]


def test_the_stage_is_the_likeliest_of_the_densities(tmp_path, rng, scorer):
    done = score_file(write_night(tmp_path / "night.edf", rng), scorer, stages=(1, 4, 128), densities=(4, 1, 128))
    for f in (1, 4, 128):
        p, steps = done.scores.densities[f], np.arange(5 * f)
        # Logits that differ may give equal probabilities; the softmax of each is some eight roundings.
        assert (p[steps, done.scores.stage[f]] >= p.max(1) - 16 * UNIT).all()


def test_epochs_without_data_are_unscored_at_every_resolution():
    stage = {f: np.full(3 * f, 2, np.uint8) for f in RESOLUTIONS}
    flat = {f: np.full((3 * f, 5), 0.2, np.float32) for f in (1, 30)}
    scores = Scores(stage, flat[30], 30, flat).without_gaps([(30, 60)], 3)
    for f in RESOLUTIONS:
        assert scores.stage[f].dtype == np.uint8
        np.testing.assert_array_equal(scores.stage[f], np.repeat([2, UNSCORED, 2], f))
    assert np.isnan(scores.probability[30:60]).all()
    assert not np.isnan(scores.probability[:30]).any()
    assert np.isnan(scores.densities[1]).all(1).tolist() == [False, True, False]
    assert scores.probability.dtype == np.float32


def test_a_channel_that_fails_the_quality_gate_is_left_out_and_said(tmp_path, rng, scorer):
    done = score_file(write_gapped(tmp_path / "night.edf", rng), scorer)
    assert [pick.label for pick in done.channels] == ["C3-M2", "E1-M2"]
    assert list(done.dropped) == ["C4-M1"]


def test_what_is_not_edf_is_opened_too(tmp_path, rng, scorer):
    path = write_brainvision(tmp_path, noise(rng, 180).reshape(3, -1) / 150)
    done = score_file(path, scorer)
    assert len(done.scores.stage[1]) == 2


def test_named_channels_give_what_a_file_of_those_channels_gives(tmp_path, rng, scorer, monkeypatch):
    parts = [noise(rng, 90) for _ in range(3)]
    labels = ["C3-M2", "C4-M1", "E1-M2"]
    (tmp_path / "all.edf").write_bytes(edf_bytes([Raw(x, label) for x, label in zip(parts, labels, strict=True)]))
    (tmp_path / "one.edf").write_bytes(edf_bytes([Raw(parts[1], labels[1])]))
    (tmp_path / "difference.edf").write_bytes(edf_bytes([Raw(parts[0] - parts[1], "Fz")]))
    named = score_file(tmp_path / "all.edf", scorer, channels=["C4-M1"]).scores.probability
    alone = score_file(tmp_path / "one.edf", scorer).scores.probability
    every = score_file(tmp_path / "all.edf", scorer).scores.probability
    np.testing.assert_array_equal(named, alone)
    assert np.abs(every - alone).max() > 1e-4
    seen, score = [], scorer.score
    monkeypatch.setattr(
        scorer, "score", lambda x, *rest: seen.append(x.signals((0,), scorer.input).tensor().numpy()) or score(x, *rest)
    )
    formed = score_file(tmp_path / "all.edf", scorer, channels=["C3-M2-C4-M1"])
    assert [pick.source for pick in formed.channels] == ["C3-M2 - C4-M1"]
    score_file(tmp_path / "difference.edf", scorer)
    # Resampled in single precision, a sample may come to lie in the next of the steps that are stored.
    np.testing.assert_allclose(*seen, rtol=0, atol=1.001 * 20 / 32767)
    assert np.mean(seen[0] == seen[1]) > 0.9


@pytest.mark.parametrize("rate_hz", [32, 50, 64, 100, 128, 200, 250, 256, 500, 512, 1000, 1024, 2048])
def test_any_rate_is_scored_in_whole_epochs(tmp_path, rng, scorer, rate_hz):
    path = write_night(tmp_path / "night.edf", rng, seconds=75, rate_hz=rate_hz)
    done = score_file(path, scorer, densities=(30,))
    assert len(done.scores.stage[1]) == 2
    assert done.scores.probability.shape == (60, 5)
    assert np.isfinite(done.scores.probability).all()


def test_channels_of_several_rates_go_together(tmp_path, rng, scorer):
    signals = [Raw(noise(rng, 60, 32), "C3-M2"), Raw(noise(rng, 60, 2048), "E1-M2"), Raw(noise(rng, 60, 200), "F4-M1")]
    (tmp_path / "night.edf").write_bytes(edf_bytes(signals))
    assert len(score_file(tmp_path / "night.edf", scorer).channels) == 3


MONTAGE = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "Cz", "C4", "T8", "CP5"),
    *("CP1", "CP2", "CP6", "P7", "P3", "Pz", "P4", "P8", "PO3", "PO4", "O1", "Oz", "O2", "AFz"),
)


def test_31_channels_are_all_scored_from(tmp_path, rng, scorer):
    assert len(MONTAGE) == 31
    done = score_file(write_night(tmp_path / "night.edf", rng, MONTAGE, seconds=60), scorer)
    assert [pick.label for pick in done.channels] == list(MONTAGE)
    assert np.isfinite(done.scores.probability).all()


@pytest.mark.parametrize("labels", [("Chin", "ECG"), ("Status",)])
def test_without_eeg_and_eog_the_file_s_labels_are_said(tmp_path, rng, scorer, labels):
    path = write_night(tmp_path / "night.edf", rng, labels)
    with pytest.raises(RecordingError, match="no EEG and no EOG among the signals: " + ", ".join(labels)):
        score_file(path, scorer)


def test_signals_of_unknown_names_are_scored_from_where_they_are_named(tmp_path, rng, scorer):
    path = write_night(tmp_path / "night.edf", rng, ("Ch 1", "Ch 2", "Ch 3"))
    with pytest.raises(RecordingError, match="with --channels"):
        score_file(path, scorer)
    done = score_file(path, scorer, channels=["ch 3", "Ch 1-Ch 2"])
    assert [(pick.label, pick.source) for pick in done.channels] == [("Ch 3", "Ch 3"), ("Ch 1-Ch 2", "Ch 1 - Ch 2")]


def test_without_a_usable_channel_each_one_s_fault_is_said(tmp_path, scorer):
    (tmp_path / "night.edf").write_bytes(edf_bytes([Raw(np.zeros((60, RATE_HZ), int), "C3-M2")]))
    with pytest.raises(RecordingError, match=r"no usable EEG or EOG channel \(C3-M2: .*flat"):
        score_file(tmp_path / "night.edf", scorer)


def test_ten_seconds_are_less_than_an_epoch(tmp_path, rng, scorer):
    with pytest.raises(RecordingError, match="lasts 10 s, less than one epoch"):
        score_file(write_night(tmp_path / "night.edf", rng, seconds=10), scorer)


def test_one_epoch_is_enough(tmp_path, rng, scorer):
    done = score_file(write_night(tmp_path / "night.edf", rng, seconds=30), scorer)
    assert len(done.scores.stage[1]) == 1
    assert np.isfinite(done.scores.probability).all()


def write_fif(path, x_uv, labels):
    info = mne.create_info(list(labels), RATE_HZ, "eeg")
    mne.io.RawArray(x_uv * 1e-6, info, verbose="error").save(path, verbose="error", overwrite=True)
    return path


def test_a_channel_of_nan_is_dropped_and_a_few_nan_are_bridged(tmp_path, rng, scorer):
    x_uv = noise(rng, 180).reshape(3, -1) / 150
    x_uv[1] = np.nan
    x_uv[2, 1000:1050] = np.nan
    done = score_file(write_fif(tmp_path / "night_raw.fif", x_uv, ["C3-M2", "C4-M1", "F3-M2"]), scorer)
    assert [pick.label for pick in done.channels] == ["C3-M2", "F3-M2"]
    assert list(done.dropped) == ["C4-M1"]
    assert np.isfinite(done.scores.probability).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nothing_but_nan_is_no_usable_channel(tmp_path, rng, scorer, value):
    path = write_fif(tmp_path / "night_raw.fif", np.full((2, 6000), value), ["C3-M2", "C4-M1"])
    with pytest.raises(RecordingError, match="no usable EEG or EOG channel"):
        score_file(path, scorer)


def test_a_night_too_long_for_memory_lies_in_a_file_and_has_the_same_scores(tmp_path, rng, scorer, monkeypatch):
    path = write_gapped(tmp_path / "night.edf", rng)
    wanted = score_file(path, scorer).scores
    monkeypatch.setattr(room, "LARGE_BYTES", 0)
    files, real = [], room.os.posix_fallocate
    monkeypatch.setattr(room.os, "posix_fallocate", lambda *where: files.append(where) or real(*where))
    found = score_file(path, scorer).scores
    assert files
    np.testing.assert_array_equal(found.probability, wanted.probability)
    assert found.stage.keys() == wanted.stage.keys()


def test_what_a_night_will_take_is_said_before_it_is_taken_and_refused_where_it_is_not_there(
    tmp_path, rng, scorer, monkeypatch, caplog
):
    path = write_night(tmp_path / "night.edf", rng, seconds=3600)
    monkeypatch.setattr(infer, "LARGE_BYTES", 0)
    with caplog.at_level("INFO"):
        score_file(path, scorer)
    assert "1.0 h of 2 channels take about 0.0 GB of memory to score" in caplog.text
    monkeypatch.setattr(infer, "available_bytes", lambda: 1000)
    monkeypatch.setattr(type(scorer._models[0]), "night", lambda *_: pytest.fail("memory was taken"))
    with pytest.raises(RecordingError, match=r"and 0.0 GB are free"):
        score_file(path, scorer)

"""BrainVision, EEGLAB, FIF and GDF: written by hand, by scipy and by MNE, read back signal by signal."""

from __future__ import annotations

from datetime import datetime

import mne
import numpy as np
import pytest
from tests.mne_files import LABELS, RATE_HZ, WRITERS, write_brainvision, write_fif

from hypnoflow.errors import RecordingError
from hypnoflow.native.mne import MneFile
from hypnoflow.native.signals import files_of, open_recording_file


@pytest.fixture
def x_uv(rng):
    """Three signals of 20 s, shape (channel, sample), whole microvolts."""
    return np.round(rng.normal(0, 40, (3, 20 * RATE_HZ)))


@pytest.mark.parametrize("kind", WRITERS)
def test_signals_come_back_in_microvolts_one_by_one(tmp_path, x_uv, kind):
    file = open_recording_file(WRITERS[kind](tmp_path, x_uv))
    assert list(file.labels) == LABELS
    assert (file.duration_s, {file.rate_hz(label) for label in LABELS}) == (20, {RATE_HZ})
    assert [file.unit(label) for label in LABELS] == ["uV"] * 3
    for label, wrote in zip(LABELS, x_uv, strict=True):
        read = file.read(label)
        assert (read.dtype, read.shape) == (np.float32, wrote.shape)
        np.testing.assert_allclose(read, wrote, atol=0.01)


@pytest.mark.parametrize("kind", ["BrainVision", "EEGLAB", "FIF"])
def test_marks_in_the_file_are_kept_with_their_times(tmp_path, x_uv, kind):
    marks = MneFile(WRITERS[kind](tmp_path, x_uv)).annotations()
    assert [(round(m.onset_s, 3), round(m.duration_s, 3), m.label) for m in marks] == [(5, 1, "Sleep stage N2")]


@pytest.mark.parametrize("kind", ["BrainVision", "FIF"])
def test_the_start_is_the_files(tmp_path, x_uv, kind):
    assert MneFile(WRITERS[kind](tmp_path, x_uv)).start == datetime(2020, 1, 2, 23, 30)


def test_the_start_of_a_cut_fif_is_that_of_its_first_sample(tmp_path, x_uv):
    raw = mne.io.read_raw(write_fif(tmp_path, x_uv), verbose="error").crop(4)
    raw.save(tmp_path / "cut_raw.fif", verbose="error")
    file = MneFile(tmp_path / "cut_raw.fif")
    assert file.start == datetime(2020, 1, 2, 23, 30, 4)
    assert [m.onset_s for m in file.annotations()] == [1]


def test_a_break_in_the_recording_is_said(tmp_path, x_uv):
    path = write_brainvision(tmp_path, x_uv)
    marker = path.with_suffix(".vmrk")
    marker.write_text(marker.read_text() + "Mk3=New Segment,,1001,1,0,20200102234000000000\n")
    (warning,) = MneFile(path).warnings
    assert "1 breaks in the recording, first at 10 s" in warning


def test_what_is_no_potential_keeps_its_numbers(tmp_path, x_uv):
    file = MneFile(write_brainvision(tmp_path, x_uv, unit="%"))
    assert file.unit("C3") == ""
    np.testing.assert_allclose(file.read("C3"), x_uv[0], atol=0.01)


@pytest.mark.parametrize("suffix", [".vhdr", ".set", ".fif", ".gdf"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_file_of_another_kind_is_refused_in_one_message(tmp_path, suffix, content):
    path = tmp_path / f"night{suffix}"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="MNE cannot open it") as caught:
        open_recording_file(path)
    assert caught.value.path == path


def test_a_missing_data_file_is_refused(tmp_path, x_uv):
    path = write_brainvision(tmp_path, x_uv)
    path.with_suffix(".eeg").unlink()
    with pytest.raises(RecordingError):
        MneFile(path).read("C3")


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(RecordingError, match=r"no reader for \.xyz; known: \.edf, \.rec, \.bdf, \.vhdr"):
        open_recording_file(tmp_path / "night.xyz")


def test_the_files_behind_a_header_are_its_own(tmp_path, x_uv):
    path = write_brainvision(tmp_path, x_uv)
    assert sorted(p.name for p in files_of(path)) == ["night.eeg", "night.vhdr", "night.vmrk"]
    assert files_of(tmp_path / "night.edf") == [tmp_path / "night.edf"]

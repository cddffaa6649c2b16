"""BrainVision, EEGLAB, FIF and GDF: written by hand, by scipy and by MNE, read back signal by signal."""

from __future__ import annotations

import struct
from datetime import datetime

import mne
import numpy as np
import pytest
from scipy.io import savemat

from hypnoflow.errors import RecordingError
from hypnoflow.io.mne import MneFile
from hypnoflow.io.signals import files_of, open_recording_file

RATE_HZ = 100
LABELS = ["C3", "M2", "E1"]


@pytest.fixture
def x_uv(rng):
    """Three signals of 20 s, shape (channel, sample), whole microvolts."""
    return np.round(rng.normal(0, 40, (3, 20 * RATE_HZ)))


def write_brainvision(folder, x_uv, unit="µV"):
    """Write the three files of BrainVision Core Data Format 1.0 with a resolution of 0.5."""
    (folder / "night.eeg").write_bytes((x_uv / 0.5).T.astype("<i2").tobytes())
    channels = "\n".join(f"Ch{i + 1}={label},,0.5,{unit}" for i, label in enumerate(LABELS))
    (folder / "night.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=night.eeg\n"
        "MarkerFile=night.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=3\n"
        f"SamplingInterval={1e6 / RATE_HZ:g}\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n{channels}\n"
    )
    (folder / "night.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=night.eeg\n"
        "[Marker Infos]\nMk1=New Segment,,1,1,0,20200102233000000000\nMk2=Comment,Sleep stage N2,501,100,0\n"
    )
    return folder / "night.vhdr"


def write_eeglab(folder, x_uv):
    """Write an EEGLAB data set with its samples inside."""
    chanlocs = np.array([(label,) for label in LABELS], dtype=[("labels", object)])
    events = np.array(
        [("Sleep stage N2", 501.0, 100.0)], dtype=[("type", object), ("latency", "f8"), ("duration", "f8")]
    )
    eeg = {
        "setname": "night", "data": x_uv.astype(np.float32), "srate": float(RATE_HZ), "nbchan": 3.0, "trials": 1.0,
        "pnts": float(x_uv.shape[1]), "xmin": 0.0, "xmax": x_uv.shape[1] / RATE_HZ, "chanlocs": chanlocs,
        "event": events, "epoch": np.array([]), "icawinv": np.array([]), "icasphere": np.array([]),
        "icaweights": np.array([]),
    }  # fmt: skip
    savemat(folder / "night.set", {"EEG": eeg}, appendmat=False)
    return folder / "night.set"


def write_fif(folder, x_uv):
    """Write FIF with MNE."""
    raw = mne.io.RawArray(x_uv * 1e-6, mne.create_info(LABELS, RATE_HZ, ["eeg", "eeg", "eog"]), verbose="error")
    raw.set_meas_date(datetime.fromisoformat("2020-01-02T23:30:00+00:00"))
    raw.set_annotations(mne.Annotations([5.0], [1.0], ["Sleep stage N2"], orig_time=raw.info["meas_date"]))
    raw.save(folder / "night_raw.fif", verbose="error")
    return folder / "night_raw.fif"


def write_gdf(folder, x_uv):
    """Write GDF 1.25 (Schloegl 1998): EDF's layout with binary numbers; one record per second of int16."""
    n, seconds = len(LABELS), x_uv.shape[1] // RATE_HZ
    head = b"GDF 1.25" + b"someone".ljust(80) + b"a night".ljust(80) + b"2020010223300000".ljust(16)
    head += struct.pack("<q", 256 * (n + 1)) + b"\0" * 8 + b"\0" * 8 + b"\0" * 8 + b" " * 20
    head += struct.pack("<qII", seconds, 1, 1) + struct.pack("<I", n)
    each = [
        b"".join(label.encode().ljust(16) for label in LABELS),
        b" " * 80 * n,
        b"uV      " * n,
        struct.pack("<3d", *[-1000.0] * n),
        struct.pack("<3d", *[1000.0] * n),
        struct.pack("<3q", *[-1000] * n),
        struct.pack("<3q", *[1000] * n),
        b" " * 80 * n,
        struct.pack("<3i", *[RATE_HZ] * n),
        struct.pack("<3i", *[3] * n),
        b" " * 32 * n,
    ]
    records = x_uv.reshape(n, seconds, RATE_HZ).transpose(1, 0, 2).astype("<i2").tobytes()
    path = folder / "night.gdf"
    no_events = struct.pack("<BBBBI", 1, RATE_HZ, 0, 0, 0)
    path.write_bytes(head + b"".join(each) + records + no_events)
    return path


WRITERS = {"BrainVision": write_brainvision, "EEGLAB": write_eeglab, "FIF": write_fif, "GDF": write_gdf}


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

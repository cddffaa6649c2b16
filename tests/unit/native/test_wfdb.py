"""WfdbFile against MATLAB v4 records of known samples and against wfdb reading the same record."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import wfdb
from scipy.io import savemat

from hypnoflow.errors import RecordingError
from hypnoflow.native.wfdb import WfdbFile

RATE_HZ = 200
MISSING = -32768


def write_record(folder, signals, name="tr03-0005", first_line=""):
    """Write a Challenge-2018 record; `signals` maps label to (digital, "gain(baseline)/unit")."""
    digital = np.stack([x for x, _ in signals.values()]).astype(np.int16)
    savemat(folder / f"{name}.mat", {"val": digital}, format="4")
    lines = [f"{name} {len(signals)} {RATE_HZ} {digital.shape[1]}{first_line}"]
    for (label, (_, scale)), x in zip(signals.items(), digital, strict=True):
        checksum = (int(x.astype(int).sum()) + 32768) % 65536 - 32768
        lines.append(f"{name}.mat 16+24 {scale} 16 0 {x[0]} {checksum} 0 {label}")
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    return folder / f"{name}.hea"


@pytest.fixture
def signals(rng):
    digital = rng.integers(-9000, 9000, (3, 2000))
    return {"F3-M2": (digital[0], "50/uV"), "ECG": (digital[1], "8000(-120)/mV"), "SaO2": (digital[2], "100/%")}


def test_labels_rate_and_length_are_the_headers(tmp_path, signals):
    file = WfdbFile(write_record(tmp_path, signals))
    assert list(file.labels) == ["F3-M2", "ECG", "SaO2"]
    assert [file.rate_hz(label) for label in file.labels] == [200, 200, 200]
    assert file.duration_s == 10
    assert file.start is None


def test_potentials_are_microvolts_by_gain_baseline_and_unit(tmp_path, signals):
    file = WfdbFile(write_record(tmp_path, signals))
    assert [file.unit(label) for label in file.labels] == ["uV", "uV", "%"]
    np.testing.assert_allclose(file.read("F3-M2"), signals["F3-M2"][0] / 50, rtol=1e-5)
    np.testing.assert_allclose(file.read("ECG"), 1000 * (signals["ECG"][0] + 120) / 8000, rtol=1e-5)
    np.testing.assert_allclose(file.read("SaO2"), signals["SaO2"][0] / 100, rtol=1e-5)


def test_samples_equal_those_that_wfdb_reads(tmp_path, signals):
    path = write_record(tmp_path, signals)
    expected = wfdb.rdrecord(str(path.with_suffix(""))).p_signal
    for i, (label, factor) in enumerate([("F3-M2", 1), ("ECG", 1000), ("SaO2", 1)]):
        np.testing.assert_allclose(WfdbFile(path).read(label), factor * expected[:, i], rtol=1e-5, atol=1e-5)


def test_missing_samples_are_nan_and_no_others(tmp_path, signals):
    x = signals["F3-M2"][0]
    x[[0, 17, 1999]] = MISSING
    read = WfdbFile(write_record(tmp_path, signals)).read("F3-M2")
    assert np.flatnonzero(np.isnan(read)).tolist() == [0, 17, 1999]


def test_the_start_is_read_where_the_header_has_one(tmp_path, signals):
    path = write_record(tmp_path, signals, first_line=" 22:30:00 24/04/1999")
    assert WfdbFile(path).start == dt.datetime(1999, 4, 24, 22, 30)


@pytest.mark.parametrize("text", ["", "hello world\n", "tr03-0005 two 200 100\n", None])
def test_an_unreadable_header_is_refused(tmp_path, text):
    path = tmp_path / "tr03-0005.hea"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RecordingError, match="header") as caught:
        WfdbFile(path)
    assert caught.value.path == path


def test_a_header_without_signals_is_refused(tmp_path):
    path = tmp_path / "tr03-0005.hea"
    path.write_text("tr03-0005 0 200 1000\n")
    with pytest.raises(RecordingError):
        list(WfdbFile(path).labels)


def test_a_missing_signal_file_is_a_recording_error(tmp_path, signals):
    path = write_record(tmp_path, signals)
    path.with_suffix(".mat").unlink()
    with pytest.raises(RecordingError, match="cannot read the signals"):
        WfdbFile(path).read("ECG")


def test_a_truncated_signal_file_is_a_recording_error(tmp_path, signals):
    path = write_record(tmp_path, signals)
    mat = path.with_suffix(".mat")
    mat.write_bytes(mat.read_bytes()[:5000])
    with pytest.raises(RecordingError, match="cannot read the signals"):
        WfdbFile(path).read("ECG")


def replace_in_header(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize("name", ["../tr03-0005.mat", "/etc/passwd", "sub/tr03-0005.mat", "C:x.mat", ".."])
def test_a_signal_file_outside_the_headers_folder_is_refused(tmp_path, signals, name):
    path = write_record(tmp_path, signals)
    with pytest.raises(RecordingError, match="only a file of the recording.s own folder"):
        WfdbFile(replace_in_header(path, "tr03-0005.mat 16", f"{name} 16"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (" 200 2000", " 200 2000000000", "48 h are read"),
        (" 200 2000", " 200 34000000", "claims 102000000 samples"),
        (" 200 2000", " 200", "None samples"),
        (" 200 2000", " 0.001 2000", "48 h are read"),
        (" 50/uV", " 1e30/uV", "gain"),
        (" 16+24 100/%", " 16x0+24 100/%", "no samples in a frame"),
        ("tr03-0005 3 ", "tr03-0005 2 ", "announces 2 signals and describes 3"),
    ],
)
def test_a_header_that_says_what_cannot_be_is_refused_before_anything_is_read(tmp_path, signals, old, new, said):
    path = replace_in_header(write_record(tmp_path, signals), old, new)
    with pytest.raises(RecordingError, match=said):
        WfdbFile(path)


def test_signals_of_several_samples_per_frame_keep_their_own_rate(tmp_path, rng):
    fast, slow = rng.integers(-999, 999, (10, 4)), rng.integers(-999, 999, (10, 1))
    np.hstack([fast, slow]).astype("<i2").tofile(tmp_path / "a.dat")
    lines = ["a 2 50 10", "a.dat 16x4 100/uV 16 0 0 0 0 Fast", "a.dat 16 10/uV 16 0 0 0 0 Slow"]
    (tmp_path / "a.hea").write_text("\n".join(lines) + "\n")
    file = WfdbFile(tmp_path / "a.hea")
    assert (file.rate_hz("Fast"), file.rate_hz("Slow"), file.duration_s) == (200, 50, 0.2)
    np.testing.assert_allclose(file.read("Fast"), fast.ravel() / 100, rtol=1e-6)
    np.testing.assert_allclose(file.read("Slow"), slow.ravel() / 10, rtol=1e-6)


def test_a_label_that_occurs_twice_names_two_signals(tmp_path, rng):
    x = rng.integers(-9000, 9000, (2, 2000))
    path = write_record(tmp_path, {"EEG": (x[0], "50/uV"), "other": (x[1], "50/uV")})
    path.write_text(path.read_text().replace("other", "EEG"))
    file = WfdbFile(path)
    assert list(file.labels) == ["EEG", "EEG#2"]
    assert any("'EEG' occurs more than once; read as 'EEG#2'" in warning for warning in file.warnings)
    for label, wrote in zip(file.labels, x, strict=True):
        np.testing.assert_allclose(file.read(label), wrote / 50, rtol=1e-5)


@pytest.mark.parametrize(("fmt", "lowest"), [("212", -2048), ("16", -32768), ("24", -8388608), ("32", -(2**31))])
def test_the_mark_of_a_missing_sample_is_that_of_the_format(tmp_path, rng, fmt, lowest):
    """The marks are those of WFDB's signal(5): the most negative number of each format."""
    x = rng.integers(lowest + 1, -lowest, 400)
    x[3], x[9] = lowest, max(lowest, -32768)  # the latter an ordinary sample of a format of more than 16 bits
    wfdb.wrsamp(
        "a", 100, ["uV"], ["EEG"], d_signal=x[:, None], fmt=[fmt], adc_gain=[1.0], baseline=[0], write_dir=str(tmp_path)
    )
    read = WfdbFile(tmp_path / "a.hea").read("EEG")
    expected = np.flatnonzero(x == lowest)
    assert np.flatnonzero(np.isnan(read)).tolist() == expected.tolist()
    np.testing.assert_array_equal(read[x != lowest], x[x != lowest].astype(np.float32))

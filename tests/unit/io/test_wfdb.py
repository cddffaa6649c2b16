"""WfdbFile against MATLAB v4 records of known samples and against wfdb reading the same record."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import wfdb
from scipy.io import savemat

from hypnoflow.errors import RecordingError
from hypnoflow.io.wfdb import WfdbFile

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

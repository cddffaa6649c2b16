"""DodFile against HDF5 files that h5py wrote."""

from __future__ import annotations

import datetime as dt
import json

import h5py
import numpy as np
import pytest

from hypnoflow.errors import RecordingError
from hypnoflow.native.dod import DodFile

UUID = "095d6e40-5f19-55b6-a0ec-6e0ad3793da0"


def write_h5(folder, signals, *, start=None, hypnogram=(0, 0), description=None):
    """Write a Dreem file; `signals` maps path to (samples, rate_hz, unit)."""
    path = folder / f"{UUID}.h5"
    with h5py.File(path, "w") as file:
        for name, (x, _, _) in signals.items():
            file[name] = x
        file["hypnogram"] = np.array(hypnogram)
        table = [{"path": name, "fs": rate, "unit": unit} for name, (_, rate, unit) in signals.items()]
        file.attrs["description"] = json.dumps(table) if description is None else description
        if start is not None:
            file.attrs["start_time"] = start
    return path


@pytest.fixture
def signals(rng):
    return {
        "signals/eeg/C3_M2": (rng.normal(0, 20, 15000).astype(np.float32), 250, "uV"),
        "signals/eog/EOG1": (rng.normal(0, 0.05, 15250), 250, "mV"),
        "signals/oxy/SpO2": (rng.normal(95, 1, 61), 1, "%"),
    }


def test_labels_are_the_last_part_of_each_path_in_the_descriptions_order(tmp_path, signals):
    assert list(DodFile(write_h5(tmp_path, signals)).labels) == ["C3_M2", "EOG1", "SpO2"]


def test_rates_and_units_are_those_of_the_description(tmp_path, signals):
    file = DodFile(write_h5(tmp_path, signals))
    assert [file.rate_hz(label) for label in file.labels] == [250, 250, 1]
    assert [file.unit(label) for label in file.labels] == ["uV", "uV", "%"]


def test_samples_are_those_written_in_microvolts(tmp_path, signals):
    file = DodFile(write_h5(tmp_path, signals))
    np.testing.assert_array_equal(file.read("C3_M2"), signals["signals/eeg/C3_M2"][0])
    np.testing.assert_allclose(file.read("EOG1"), 1000 * signals["signals/eog/EOG1"][0], rtol=1e-5)
    np.testing.assert_allclose(file.read("SpO2"), signals["signals/oxy/SpO2"][0], rtol=1e-5)


def test_the_duration_is_that_of_the_shortest_signal(tmp_path, signals):
    assert DodFile(write_h5(tmp_path, signals)).duration_s == 60  # 15000 / 250, against 61


def test_the_start_is_read_where_the_file_has_one(tmp_path, signals):
    assert DodFile(write_h5(tmp_path, signals, start=1_000_000_000)).start == dt.datetime(2001, 9, 9, 1, 46, 40)
    assert DodFile(write_h5(tmp_path, signals)).start is None


def test_the_files_own_hypnogram_is_read(tmp_path, signals):
    assert DodFile(write_h5(tmp_path, signals, hypnogram=(-1, 0, 4, 3))).hypnogram() == [-1, 0, 4, 3]


def test_a_file_without_hypnogram_is_refused(tmp_path, signals):
    path = write_h5(tmp_path, signals)
    with h5py.File(path, "a") as file:
        del file["hypnogram"]
    with pytest.raises(RecordingError, match="hypnogram"):
        DodFile(path).hypnogram()


@pytest.mark.parametrize("description", ["not json", "[1, 2]", '[{"fs": 250}]', '[{"path": "signals/eeg/gone"}]'])
def test_an_unusable_description_is_refused(tmp_path, signals, description):
    path = write_h5(tmp_path, signals, description=description)
    with pytest.raises(RecordingError, match="not a Dreem Open Dataset file") as caught:
        DodFile(path)
    assert caught.value.path == path


def test_a_signal_without_rate_is_refused(tmp_path, signals):
    description = json.dumps([{"path": "signals/eeg/C3_M2", "unit": "uV"}])
    with pytest.raises(RecordingError):
        DodFile(write_h5(tmp_path, signals, description=description)).rate_hz("C3_M2")


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_file_cut_off_is_refused(tmp_path, signals, keep):
    path = write_h5(tmp_path, signals)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RecordingError, match="not a Dreem Open Dataset file"):
        DodFile(path)


def test_an_empty_description_is_refused(tmp_path, signals):
    with pytest.raises(RecordingError):
        DodFile(write_h5(tmp_path, signals, description="[]")).duration_s  # noqa: B018


def test_more_samples_than_the_file_can_hold_are_refused_before_they_are_allocated(tmp_path, signals):
    path = write_h5(tmp_path, signals)
    with h5py.File(path, "a") as file:
        del file["signals/eeg/C3_M2"]
        file.create_dataset("signals/eeg/C3_M2", (40_000_000_000,), np.float32, chunks=(1000,))  # empty chunks
    description = json.dumps([{"path": "signals/eeg/C3_M2", "fs": 1e6}])
    with h5py.File(path, "a") as file:
        file.attrs["description"] = description
    with pytest.raises(RecordingError, match="claims 40000000000 samples"):
        DodFile(path)


@pytest.mark.parametrize("rate", ["0", "-250", "NaN", "Infinity", "1e-9"])
def test_an_impossible_rate_is_refused(tmp_path, signals, rate):
    description = f'[{{"path": "signals/eeg/C3_M2", "fs": {rate}}}]'
    with pytest.raises(RecordingError, match="15000 samples at"):
        DodFile(write_h5(tmp_path, signals, description=description))


@pytest.mark.parametrize("start", [1e300, float("nan"), "noon", [1, 2]])
def test_an_impossible_start_is_no_start(tmp_path, signals, start):
    assert DodFile(write_h5(tmp_path, signals, start=start)).start is None


def test_two_signals_whose_paths_end_alike_are_both_there(tmp_path, rng):
    eeg, emg = rng.normal(0, 20, (2, 15000)).astype(np.float32)
    file = DodFile(write_h5(tmp_path, {"signals/eeg/X1": (eeg, 250, "uV"), "signals/emg/X1": (emg, 250, "uV")}))
    assert list(file.labels) == ["X1", "X1#2"]
    np.testing.assert_array_equal(file.read("X1"), eeg)
    np.testing.assert_array_equal(file.read("X1#2"), emg)
    assert any("'X1' occurs more than once; read as 'X1#2'" in warning for warning in file.warnings)

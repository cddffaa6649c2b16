"""Opened recordings from the package: lazily, in microvolts, as MNE Raw with stages and events."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import mne
import numpy as np
import pytest
import zarr
from scipy.signal import resample_poly

import hypnoflow
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.signals import Harmonized, KindSignals
from hypnoflow.store.store import Labels, write_recording
from hypnoflow.store.store_files import start_store
from hypnoflow.types import Channel, Event

CLIP = 20.0
N_EPOCHS = 21  # 630 s: three chunks of five minutes
STAGE = np.array([0, 0, 1, 2, 2, 3, 3, 3, 2, 4, 4, 9, 2, 2, 2, 0, 1, 1, 2, 3, 9], np.uint8)
WORDS = {0: "W", 1: "N1", 2: "N2", 3: "N3", 4: "R", 9: "?"}
EVENTS = (
    Event(12.5, 3.25, "arousal", "EEG(sec)", "Arousal ()"),
    Event(100, 10, "hypopnea", "Flow", "Hypopnea"),
    Event(610, 60, "desaturation", "SaO2", "SpO2 desaturation"),
)
KINDS = {
    "eeg": (128, [("C3-M2", "EEG(sec)", "uV"), ("C4-M1", "EEG", "uV")]),
    "eog": (128, [("E1-M2", "EOG(L)", "uV")]),
    "ecg": (64, [("ECG", "ECG", "uV")]),
    "resp": (10, [("Airflow", "New A/F", ""), ("SpO2", "SaO2", "%")]),
}


def median_iqr(kind: str) -> tuple[np.ndarray, np.ndarray]:
    n = len(KINDS[kind][1])
    return np.arange(n) + 0.5, np.arange(n) + 30.25


def make(store, rng, name="n1", start="1987-05-04T23:10:30", kinds=tuple(KINDS)):
    """Write a recording of smooth noise."""
    signals = {}
    for kind in kinds:
        rate_hz, channels = KINDS[kind]
        slow = rng.normal(0, 3, (len(channels), N_EPOCHS * 30 * 4 + 2))
        times = np.arange(N_EPOCHS * 30 * rate_hz) / rate_hz
        scaled = np.stack([np.interp(times, np.arange(slow.shape[1]) / 4, one) for one in slow])
        x = np.rint(np.clip(scaled, -CLIP, CLIP) * 32767 / CLIP).astype(np.int16)
        described = tuple(Channel(label, kind, source, 100.0, unit) for label, source, unit in channels)
        flags = np.zeros((len(channels), N_EPOCHS), np.uint8)
        signals[kind] = KindSignals(described, rate_hz, x, *median_iqr(kind), np.zeros(len(channels)), flags)
    start_store(store, "r")
    attributes = {"recording": name, "recipe": "r", "clip_iqr": CLIP, "start": start, "qc": {}}
    write_recording(store, Harmonized(N_EPOCHS, signals), Labels(STAGE), EVENTS, attributes)


@pytest.fixture
def store(tmp_path, rng):
    make(tmp_path / "000.zarr", rng)
    return tmp_path / "000.zarr"


@pytest.fixture
def night(store):
    return hypnoflow.open_recording(store, "n1")


def by_hand(store, kind: str) -> np.ndarray:
    """Return a kind's signals in their unit, from zarr-python and the attributes."""
    array = zarr.open_array(store, path=f"n1/{kind}", mode="r")
    suffix = "" if kind == "resp" else "_uv"
    iqr, median = (np.array(array.attrs[f"{name}{suffix}"])[:, None] for name in ("iqr", "median"))
    return array[:] * (CLIP / 32767) * iqr + median


class Reads:
    """Counts the bytes of chunks that zarr asks its store for."""

    def __init__(self, monkeypatch):
        self.n_bytes, self.keys = 0, []
        original = zarr.storage.LocalStore.get

        async def get(inner, key, prototype, byte_range=None):
            found = await original(inner, key, prototype, byte_range)
            if found is not None and "/c/" in key:
                self.n_bytes += len(found)
                self.keys.append(key)
            return found

        monkeypatch.setattr(zarr.storage.LocalStore, "get", get)


def test_importing_the_package_imports_no_library():
    code = "import hypnoflow, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "xarray", "zarr", "mne", "torch", "pandas", "dask"} & set(json.loads(done.stdout))


def test_the_package_names_what_it_offers_and_nothing_else():
    assert {"open_recording", "open_cohort"} <= set(dir(hypnoflow))
    with pytest.raises(AttributeError, match="open_recordings"):
        _ = hypnoflow.open_recordings


def test_a_recording_opens_by_store_and_name_and_by_one_path(store, night):
    for other in (hypnoflow.open_recording(str(store / "n1")), hypnoflow.open_recording(store / "n1")):
        assert other.identical(night)


def test_samples_and_epochs_have_times_in_seconds(night):
    assert night["eeg_time"].values[[0, 1, -1]].tolist() == [0, 1 / 128, 630 - 1 / 128]
    assert night["resp_time"].size == 6300
    np.testing.assert_allclose(night["resp_time"].values, np.arange(6300) / 10)
    assert night["epoch_onset_s"].values[[0, 1, -1]].tolist() == [0, 30, 600]
    assert night["eeg"].sel(eeg_time=slice(10, 20), method="nearest")["eeg_time"].values[[0, -1]].tolist() == [
        10,
        20 - 1 / 128,
    ]


def test_microvolts_are_the_stored_integers_unscaled_by_hand(night, store):
    for kind in ("eeg", "eog", "ecg", "resp"):
        x = night.hypnoflow.microvolts(kind)
        np.testing.assert_allclose(x.values, by_hand(store, kind), rtol=1e-12)
        assert x.dims == (f"{kind}_channel", f"{kind}_time")
    assert night.hypnoflow.microvolts("eeg").attrs == {"rate_hz": 128, "units": "uV"}


def test_signals_of_different_units_claim_none_in_common(night):
    resp = night.hypnoflow.microvolts("resp")
    assert "units" not in resp.attrs
    assert resp["resp_unit"].values.tolist() == ["", "%"]


def test_one_channel_can_be_taken_out_first(night, store):
    one = night.sel(eeg_channel="C4-M1").hypnoflow.microvolts("eeg")
    np.testing.assert_allclose(one.values, by_hand(store, "eeg")[1])


def test_opening_reads_no_chunk_of_a_signal_and_a_window_only_its_own(store, monkeypatch):
    reads = Reads(monkeypatch)
    night = hypnoflow.open_recording(store, "n1")
    assert not any("/eeg/" in key or "/resp/" in key for key in reads.keys)
    night.hypnoflow.window(310, 320).hypnoflow.pick(["C3-M2"]).hypnoflow.microvolts("eeg").load()
    assert {key.split("/")[-4] for key in reads.keys} == {"eeg"}
    file = next(path for path in (store / "n1" / "eeg" / "c").rglob("*") if path.is_file())
    # One of the six chunks of two channels, and the index of the shard.
    assert 0 < reads.n_bytes < 0.25 * file.stat().st_size


def test_a_window_holds_its_samples_epochs_and_events(night, store):
    cut = night.hypnoflow.window(95, 155)
    np.testing.assert_allclose(cut.hypnoflow.microvolts("eeg").values, by_hand(store, "eeg")[:, 95 * 128 : 155 * 128])
    np.testing.assert_allclose(cut.hypnoflow.microvolts("resp").values, by_hand(store, "resp")[:, 950:1550])
    assert cut["epoch_onset_s"].values.tolist() == [90, 120, 150]
    assert cut["event_source"].values.tolist() == ["Hypopnea"]


def test_windows_of_windows_keep_the_time_of_the_recording(night):
    inner = night.hypnoflow.window(60, 300).hypnoflow.window(100, 110)
    assert inner.identical(night.hypnoflow.window(100, 110))


def test_a_window_beside_the_recording_is_refused(night):
    with pytest.raises(RecordingError, match="n1: no eeg samples between 700 and 710 s"):
        night.hypnoflow.window(700, 710)


def test_picked_channels_come_in_the_order_asked_for_and_other_kinds_go(night):
    picked = night.hypnoflow.pick(["SpO2", "C4-M1", "C3-M2"])
    assert picked["eeg_channel"].values.tolist() == ["C4-M1", "C3-M2"]
    assert picked["resp_channel"].values.tolist() == ["SpO2"]
    assert picked.hypnoflow.kinds == ("eeg", "resp")
    np.testing.assert_array_equal(picked["eeg"].values, night["eeg"].values[::-1])
    with pytest.raises(RecordingError, match="did you mean 'C3-M2'"):
        night.hypnoflow.pick(["C3M2"])


def test_raw_holds_eeg_and_eog_in_volts_under_their_names(night, store):
    raw = night.hypnoflow.to_mne()
    assert isinstance(raw, mne.io.RawArray)
    assert raw.ch_names == ["C3-M2", "C4-M1", "E1-M2"]
    assert raw.get_channel_types() == ["eeg", "eeg", "eog"]
    assert raw.info["sfreq"] == 128
    by_hand_uv = np.concatenate([by_hand(store, "eeg"), by_hand(store, "eog")])
    np.testing.assert_allclose(raw.get_data(units={"eeg": "uV", "eog": "uV"}), by_hand_uv, rtol=1e-9)
    np.testing.assert_allclose(raw.get_data(), 1e-6 * by_hand_uv, rtol=1e-9)


def test_signals_that_are_no_potentials_keep_their_unit_in_raw(night, store):
    raw = night.hypnoflow.to_mne(["resp"])
    assert raw.get_channel_types() == ["resp", "misc"]
    assert raw.info["sfreq"] == 10
    np.testing.assert_allclose(raw.get_data(), by_hand(store, "resp"))


def test_raw_begins_at_the_recordings_clock_time_in_utc(night):
    assert night.hypnoflow.to_mne().info["meas_date"] == datetime(1987, 5, 4, 23, 10, 30, tzinfo=UTC)


def test_a_start_with_a_zone_is_turned_into_utc(tmp_path, rng):
    make(tmp_path / "000.zarr", rng, start="2020-01-01T23:00:00+02:00", kinds=["eog"])
    raw = hypnoflow.open_recording(tmp_path / "000.zarr/n1").hypnoflow.to_mne()
    assert raw.info["meas_date"] == datetime(2020, 1, 1, 21, tzinfo=UTC)


def test_an_unknown_start_gives_no_measurement_date_and_the_same_annotations(tmp_path, rng, night):
    make(tmp_path / "001.zarr", rng, start=None)
    raw = hypnoflow.open_recording(tmp_path / "001.zarr/n1").hypnoflow.to_mne()
    assert raw.info["meas_date"] is None
    known = night.hypnoflow.to_mne().annotations
    np.testing.assert_allclose(raw.annotations.onset, known.onset)
    assert raw.annotations.description.tolist() == known.description.tolist()


def test_every_epoch_is_one_annotation_of_its_stage(night):
    stages = [a for a in night.hypnoflow.to_mne().annotations if a["description"].startswith("Sleep stage")]
    assert [a["description"] for a in stages] == [f"Sleep stage {WORDS[code]}" for code in STAGE.tolist()]
    assert [a["onset"] for a in stages] == [30.0 * i for i in range(N_EPOCHS)]
    assert {a["duration"] for a in stages} == {30.0}


def test_mne_cuts_the_same_epochs_with_and_without_its_chunks(night):
    raw = night.hypnoflow.to_mne()
    cut = [
        mne.events_from_annotations(raw, regexp="^Sleep stage", chunk_duration=chunk, verbose="error")[0]
        for chunk in (None, 30.0)
    ]
    assert cut[0][:, 0].tolist() == [30 * 128 * i for i in range(N_EPOCHS)]
    np.testing.assert_array_equal(*cut)


def test_events_keep_onset_kind_channel_and_the_files_words(night):
    raw = night.hypnoflow.to_mne(["eeg", "resp"], rate_hz=128)
    events = [a for a in raw.annotations if not a["description"].startswith("Sleep stage")]
    assert [(a["onset"], a["duration"], a["description"]) for a in events] == [
        (12.5, 3.25, "arousal"),
        (100, 10, "hypopnea"),
        (610, 20, "desaturation"),  # cut at the end of the signals
    ]
    # "EEG(sec)" and "SaO2" are what the file calls C3-M2 and SpO2; no channel's file name is "Flow".
    assert [a["ch_names"] for a in events] == [("C3-M2",), (), ("SpO2",)]
    assert [a["extras"] for a in events] == [{"channel": e.channel, "source": e.source} for e in EVENTS]


def test_raw_of_a_window_counts_from_its_first_sample(night, store):
    raw = night.hypnoflow.window(95, 155).hypnoflow.to_mne(["eeg"])
    assert raw.info["meas_date"] == datetime(1987, 5, 4, 23, 12, 5, tzinfo=UTC)
    np.testing.assert_allclose(raw.get_data(units="uV"), by_hand(store, "eeg")[:, 95 * 128 : 155 * 128])
    found = {(a["onset"], a["duration"], a["description"]) for a in raw.annotations}
    expected = {(0, 25, "Sleep stage N2"), (25, 30, "Sleep stage N2"), (55, 5, "Sleep stage N3"), (5, 10, "hypopnea")}
    assert found == expected


def test_kinds_of_different_rates_are_refused_unless_a_rate_is_given(night):
    with pytest.raises(RecordingError, match="eeg 128 Hz, ecg 64 Hz, resp 10 Hz") as caught:
        night.hypnoflow.to_mne(["eeg", "ecg", "resp"])
    assert "rate_hz=128" in str(caught.value)


def test_other_rates_are_resampled_to_the_one_asked_for(night, store):
    raw = night.hypnoflow.to_mne(["eeg", "ecg"], rate_hz=100)
    assert raw.info["sfreq"] == 100
    assert raw.get_data().shape == (3, 63_000)
    uv = by_hand(store, "ecg")[0]
    expected = resample_poly(uv - np.median(uv), 25, 16) + np.median(uv)
    np.testing.assert_allclose(1e6 * raw.get_data(["ECG"])[0], expected, atol=1e-3 * np.ptp(uv))


def test_a_kind_that_is_not_there_is_refused_by_name(night):
    with pytest.raises(RecordingError, match=r"no 'emg' signals.*") as caught:
        night.hypnoflow.to_mne(["eeg", "emg"])
    assert "eeg, eog, ecg, resp" in str(caught.value)
    with pytest.raises(RecordingError, match="did you mean 'eeg'"):
        night.hypnoflow.microvolts("eegs")


def test_a_recording_without_eeg_and_eog_says_so(night):
    with pytest.raises(RecordingError, match="no EEG and no EOG"):
        night.hypnoflow.pick(["ECG"]).hypnoflow.to_mne()


def test_thinned_samples_are_not_taken_for_the_whole_signal(night):
    with pytest.raises(RecordingError, match="the eeg samples are not 128 to a second"):
        night.isel(eeg_time=slice(None, None, 2)).hypnoflow.to_mne(["eeg"])


def test_dask_arrays_have_the_stores_chunks_and_its_values(store, night):
    lazy = hypnoflow.open_recording(store, "n1", chunks={})
    assert lazy["eeg"].chunks == ((1, 1), (38_400, 38_400, 3_840))
    uv = lazy.hypnoflow.microvolts("eeg")
    assert uv.chunks is not None
    np.testing.assert_array_equal(uv.values, night.hypnoflow.microvolts("eeg").values)
    assert night["eeg"].chunks is None


def test_unknown_recordings_and_stores_are_named_with_what_is_near(store, rng):
    make(store, rng, name="n2", kinds=["eog"])
    for given, what in (
        ((store, "n22"), "no recording 'n22'; did you mean 'n2'?"),
        ((store / "n22",), "000.zarr holds n1, n2"),
        ((store,), "no recording is named"),
        ((store.parent / "00.zarr", "n1"), "no such store; did you mean '000.zarr'?"),
        ((store.parent, "n1"), "this folder is not a store"),
        ((store, ""), "no recording ''"),
        ((store, "../000.zarr/n1"), "no recording '../000.zarr/n1'"),
    ):
        with pytest.raises(RecordingError) as caught:
            hypnoflow.open_recording(*given)
        assert what in str(caught.value)


def test_a_half_written_store_and_recording_are_refused(store):
    (store / "n1").rename(store / ".n1.partial")
    with pytest.raises(RecordingError, match=r"no recording '.n1.partial'"):
        hypnoflow.open_recording(store, ".n1.partial")
    store.rename(store.with_name(".000.zarr.0123456789abcdef.partial"))
    for given in ((store, "n1"), (store / "n1",)):
        with pytest.raises(RecordingError, match="not finished") as caught:
            hypnoflow.open_recording(*given)
        assert "it is called 000.zarr once it is whole" in str(caught.value)

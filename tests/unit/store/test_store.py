"""The harmonized store: what is written comes back, in few files, and only under its recipe."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
import zarr

from hypnoflow.errors import RecordingError
from hypnoflow.facts.claim import claim
from hypnoflow.harmonize.signals import Harmonized, KindSignals
from hypnoflow.store.store import Labels, open_recording, read_fine_stage, read_stage, recordings, write_recording
from hypnoflow.store.store_files import HARMONIZED, begin_store, content_hash, finished_group, start_store
from hypnoflow.types import Channel, Event

CLIP = 20.0
N_EPOCHS = 21  # 630 s: three chunks of five minutes, the last one short
EVENTS = (Event(12.5, 3.25, "arousal", "EEG", "Arousal ()"), Event(100, 10, "hypopnea", "Flow", "Hypopnea"))


def kind_signals(rng, labels, kind, rate_hz, unit="uV"):
    """Return scaled integers, and the scaled signal that they stand for."""
    scaled = np.clip(rng.normal(0, 3, (len(labels), int(N_EPOCHS * 30 * rate_hz))), -CLIP, CLIP)
    channels = tuple(Channel(label, kind, f"file {label}", 100.0 + i, unit) for i, label in enumerate(labels))
    x = np.rint(scaled * 32767 / CLIP).astype(np.int16)
    facts = (np.arange(len(labels)) + 0.5, np.arange(len(labels)) + 30.25, np.zeros(len(labels)))
    flags = np.zeros((len(labels), N_EPOCHS), np.uint8)
    flags[0, 2:5] = 8
    return KindSignals(channels, rate_hz, x, *facts, flags), scaled


@pytest.fixture
def night(rng):
    """Return (Harmonized, scaled signals by kind)."""
    made = {
        "eeg": kind_signals(rng, ("C3-M2", "C4-M1"), "eeg", 128),
        "eog": kind_signals(rng, ("E1-M2",), "eog", 128),
        "resp": kind_signals(rng, ("Airflow", "SpO2"), "resp", 10, ""),
    }
    return Harmonized(N_EPOCHS, {k: v[0] for k, v in made.items()}), {k: v[1] for k, v in made.items()}


STAGE = np.array([0, 0, 1, 2, 2, 3, 3, 3, 2, 4, 4, 9, 2, 2, 2, 0, 1, 1, 2, 3, 9], np.uint8)


def write(store, signals, name="n1", recipe="r1", scorers=(), fine=None):
    start_store(store, recipe)
    attributes = {"recording": name, "recipe": recipe, "clip_iqr": CLIP, "simulated": True}
    attributes["qc"] = {"status": "ok", "n_epochs": N_EPOCHS}
    write_recording(store, signals, Labels(STAGE, *scorers, fine=fine, fine_s=5.0), EVENTS, attributes)
    return store


@pytest.fixture
def stored(tmp_path, night):
    return write(tmp_path / "000.zarr", night[0])


def test_xarray_opens_a_recording_decoded_within_half_a_quantum(stored, night):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = xr.open_zarr(stored, group="n1", consolidated=False)
    for kind, scaled in night[1].items():
        assert data[kind].dims == (f"{kind}_channel", f"{kind}_time")
        assert np.abs(data[kind].values - scaled).max() <= 0.5 * CLIP / 32767 * 1.001


def test_decoded_values_never_pass_the_clip(stored, night):
    assert np.abs(xr.open_zarr(stored, group="n1", consolidated=False)["eeg"].values).max() <= CLIP * (1 + 1e-6)


def test_median_and_iqr_bring_microvolts_back(stored, night):
    eeg = open_recording(stored, "n1")["eeg"]
    uv = eeg * eeg["eeg_iqr_uv"] + eeg["eeg_median_uv"]
    expected = night[1]["eeg"] * np.array([[30.25], [31.25]]) + np.array([[0.5], [1.5]])
    np.testing.assert_allclose(uv.values, expected, atol=31.25 * 0.51 * CLIP / 32767)


def test_flags_of_each_epoch_come_back(stored):
    quality = open_recording(stored, "n1")["eeg_quality"]
    assert quality.dims == ("eeg_channel", "epoch")
    assert quality.values.tolist() == [[0, 0, 8, 8, 8, *[0] * 16], [0] * 21]


def test_a_recording_of_all_five_kinds_costs_at_most_sixteen_files(tmp_path, rng):
    kinds = ("eeg", "eog", "emg", "ecg", "resp")
    night = Harmonized(N_EPOCHS, {kind: kind_signals(rng, ("A", "B"), kind, 16)[0] for kind in kinds})
    store = write(tmp_path / "000.zarr", night, scorers=(("x", "y"), np.stack([STAGE, STAGE])))
    assert sum(path.is_file() for path in (store / "n1").rglob("*")) <= 16


def test_channels_carry_labels_electrode_reference_source_and_rate(stored):
    data = open_recording(stored, "n1")
    assert data["eeg_channel"].values.tolist() == ["C3-M2", "C4-M1"]
    assert data["eeg_electrode"].values.tolist() == ["C3", "C4"]
    assert data["eeg_reference"].values.tolist() == ["M2", "M1"]
    assert data["eeg_source"].values.tolist() == ["file C3-M2", "file C4-M1"]
    assert data["eeg_source_rate_hz"].values.tolist() == [100, 101]
    assert data["eog_unit"].values.tolist() == ["uV"]


def test_each_kind_keeps_its_rate_and_signals_without_microvolts_do_not_claim_them(stored):
    data = open_recording(stored, "n1")
    assert [data[kind].attrs["rate_hz"] for kind in ("eeg", "eog", "resp")] == [128, 128, 10]
    assert data["resp_iqr"].values.tolist() == [30.25, 31.25]
    assert "resp_iqr_uv" not in data.coords


def test_stages_and_events_come_back(stored):
    data = open_recording(stored, "n1")
    np.testing.assert_array_equal(data["stage"].values, STAGE)
    np.testing.assert_array_equal(read_stage(stored, "n1"), STAGE)
    assert data["event_onset_s"].values.tolist() == [12.5, 100]
    assert data["event_duration_s"].values.tolist() == [3.25, 10]
    names = data["event_kind"].attrs["flag_meanings"].split()
    assert [names[code] for code in data["event_kind"].values] == ["arousal", "hypopnea"]
    assert data["event_channel"].values.tolist() == ["EEG", "Flow"]
    assert data["event_source"].values.tolist() == ["Arousal ()", "Hypopnea"]


def test_several_scorers_come_back_by_name(tmp_path, night, rng):
    each = rng.integers(0, 5, (3, N_EPOCHS)).astype(np.uint8)
    store = write(tmp_path / "000.zarr", night[0], scorers=(("a", "b", "c"), each))
    data = open_recording(store, "n1")
    np.testing.assert_array_equal(data["stage_scorer"].sel(scorer="b").values, each[1])


def test_one_scorer_makes_no_array_of_scorers(stored):
    assert "stage_scorer" not in open_recording(stored, "n1")


def test_a_chunk_is_five_minutes_of_one_channel(stored):
    for kind, rate_hz in (("eeg", 128), ("eog", 128), ("resp", 10)):
        array = zarr.open_array(stored, path=f"n1/{kind}", mode="r")
        assert array.chunks == (1, 300 * rate_hz)
        assert array.dtype == np.int16


def test_a_signal_array_is_one_file_beside_its_metadata(stored):
    for kind in ("eeg", "eog", "resp"):
        files = [p.name for p in (stored / "n1" / kind).rglob("*") if p.is_file()]
        assert len(files) == 2
        assert "zarr.json" in files


def test_a_recording_shorter_than_a_chunk_is_stored_whole(tmp_path, night):
    eeg = night[0].kinds["eeg"]
    short = KindSignals(eeg.channels, 128, eeg.x[:, : 60 * 128], eeg.median, eeg.iqr, eeg.clipped_share)
    store = write(tmp_path / "000.zarr", Harmonized(2, {"eeg": short}))
    decoded = xr.open_zarr(store, group="n1", consolidated=False)["eeg"].values
    np.testing.assert_allclose(decoded, short.x * CLIP / 32767, atol=1e-4)


def test_a_finished_recording_is_known_only_under_its_recipe(stored):
    assert finished_group(stored, "n1", "r1") == {"status": "ok", "n_epochs": N_EPOCHS}
    assert finished_group(stored, "n1", "r2") is None
    assert finished_group(stored, "n2", "r1") is None


def test_a_store_started_with_the_same_recipe_keeps_what_is_there(stored):
    start_store(stored, "r1")
    assert recordings(stored) == ["n1"]


def test_a_store_that_a_killed_run_had_begun_is_gone_on_with_by_the_same_recipe_only(tmp_path, night):
    out, record = tmp_path / "a.zarr", tmp_path / "a.json"
    with pytest.raises(KeyboardInterrupt), claim(record) as mine:
        partial = begin_store(mine, out, HARMONIZED, "r1", "c")
        write(partial, night[0], recipe="r1")
        raise KeyboardInterrupt
    assert not out.exists()
    for recipe, there in (("r1", ["n1"]), ("r2", [])):
        with pytest.raises(KeyboardInterrupt), claim(record) as mine:
            again = begin_store(mine, out, HARMONIZED, recipe, "c")
            assert recordings(again) == there
            assert (again == partial) == (recipe == "r1")
            raise KeyboardInterrupt
    assert not partial.exists()


def test_a_recording_that_fails_half_way_does_not_appear_under_its_name(tmp_path, night):
    night[0].kinds["eog"] = "no signals"
    with pytest.raises(AttributeError):
        write(tmp_path / "000.zarr", night[0])
    assert recordings(tmp_path / "000.zarr") == []


def test_a_recording_written_again_replaces_the_old_one(stored, night):
    del night[0].kinds["resp"]
    write(stored, night[0])
    assert recordings(stored) == ["n1"]
    assert "resp" not in open_recording(stored, "n1")


def test_equal_content_has_equal_hashes_and_a_changed_byte_another(tmp_path, night):
    a, b = (write(tmp_path / name / "000.zarr", night[0]) / "n1" for name in "ab")
    assert content_hash(a) == content_hash(b)
    target = next(p for p in (b / "eeg" / "c").rglob("*") if p.is_file())
    raw = bytearray(target.read_bytes())
    raw[10] ^= 1
    target.write_bytes(raw)
    assert content_hash(a) != content_hash(b)


def test_labels_finer_than_30_s_come_back_with_their_length_and_only_where_asked_for(tmp_path, night, stored):
    fine = np.repeat(STAGE, 6)
    fine[7] = 1
    store = write(tmp_path / "000.zarr", night[0], fine=fine)
    data = open_recording(store, "n1")
    assert data["stage_fine"].dims == ("label",)
    assert data["stage_fine"].attrs["label_s"] == 5
    assert np.array_equal(data["stage_fine"], fine)
    assert np.array_equal(read_fine_stage(store, "n1", 5.0), fine)
    with pytest.raises(RecordingError, match="labels are 5 s long, wanted 3"):
        read_fine_stage(store, "n1", 3.0)

"""Windows read from harmonized stores, with and without the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from tests.numerics import UNIT
from zarr.codecs import BloscCodec

from hypnoflow.data.dataset import Plan, WindowBatches
from hypnoflow.data.recordings import SignalReader, open_stored, window_labels
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.seeds import generator

EPOCH = 3840
N_EPOCHS = 12
LZ4 = BloscCodec(typesize=2, cname="lz4", shuffle="bitshuffle")


@pytest.fixture
def store(tmp_path, rng) -> Path:
    """A store of two recordings, written with zarr alone: two EEG and one EOG channel, then EEG only."""
    path = tmp_path / "000.zarr"
    for name, kinds in (("one", {"eeg": 2, "eog": 1}), ("two", {"eeg": 1})):
        group = zarr.open_group(path / name, mode="w", zarr_format=3)
        for kind, channels in kinds.items():
            x = rng.integers(-32767, 32767, (channels, N_EPOCHS * EPOCH), dtype=np.int16)
            layout = {"chunks": (1, 5 * EPOCH), "shards": (channels, 15 * EPOCH), "compressors": LZ4}
            group.create_array(kind, data=x, attributes={"scale_factor": 20 / 32767}, **layout)
        group.create_array("emg", data=np.ones((1, N_EPOCHS * EPOCH), np.int16), attributes={"scale_factor": 1.0})
        group.create_array("stage", data=(np.arange(N_EPOCHS) % 5).astype(np.uint8))
    return path


def raw(store: Path, name: str, kinds=("eeg", "eog")) -> np.ndarray:
    """Return what the store holds, scaled, without the package's reader."""
    group = zarr.open_group(store / name, mode="r")
    return np.concatenate([group[kind][:] for kind in kinds]) * (20 / 32767)


def test_opened_recording_knows_its_stages_and_its_eeg_and_eog(store):
    one, two = (open_stored(store, "a", name, "p") for name in ("one", "two"))
    assert (one.n_channels, two.n_channels) == (3, 1)
    assert (one.kinds, two.kinds) == (("eeg", "eog"), ("eeg",))
    assert one.stage.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert one.n_epochs == N_EPOCHS


@pytest.mark.parametrize("cache_mb", [0, 1000])
@pytest.mark.parametrize("first, n", [(0, N_EPOCHS), (3, 4), (N_EPOCHS - 1, 1)])
def test_window_is_the_scaled_signal_at_its_place(store, cache_mb, first, n):
    recording = open_stored(store, "a", "one", "p")
    x = SignalReader(cache_mb).window(recording, first, n)
    assert x.dtype == np.float32
    assert np.allclose(x, raw(store, "one")[:, first * EPOCH : (first + n) * EPOCH], rtol=4 * UNIT, atol=0)


@pytest.mark.parametrize("cache_mb", [0, 1000])
def test_window_past_the_end_is_padded_with_zeros_and_unscored(store, cache_mb):
    recording = open_stored(store, "a", "one", "p")
    x = SignalReader(cache_mb).window(recording, N_EPOCHS - 2, 5)
    assert x.shape == (3, 5 * EPOCH)
    assert np.allclose(x[:, : 2 * EPOCH], raw(store, "one")[:, -2 * EPOCH :], rtol=4 * UNIT, atol=0)
    assert not x[:, 2 * EPOCH :].any()
    assert window_labels(recording, N_EPOCHS - 2, 5).tolist() == [0, 1, 9, 9, 9]


def test_windows_do_not_depend_on_the_cache_full_partly_full_or_absent(store):
    recordings = [open_stored(store, "a", name, "p") for name in ("one", "two")]
    room_for_one = 0.3  # MB: "one" takes 0.28 MB, "two" 0.09 MB
    readers = [SignalReader(cache_mb) for cache_mb in (0, room_for_one, 1000)]
    for _ in range(2):
        for recording in recordings:
            for first in (0, 5, 10):
                none, some, whole = (reader.window(recording, first, 4) for reader in readers)
                assert np.array_equal(none, some)
                assert np.array_equal(none, whole)


def test_cached_recording_is_not_read_again(store):
    recording = open_stored(store, "a", "two", "p")
    cached, plain = SignalReader(1000), SignalReader(0)
    before = cached.window(recording, 0, 2)
    zarr.open_group(store / "two", mode="a")["eeg"][:] = 32767
    assert np.array_equal(cached.window(recording, 0, 2), before)
    assert np.allclose(plain.window(recording, 0, 2), 20, rtol=4 * UNIT, atol=0)


def test_writing_into_a_window_leaves_the_cache_as_it_was(store):
    recording = open_stored(store, "a", "one", "p")
    reader = SignalReader(1000)
    first = reader.window(recording, 0, 2)
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(reader.window(recording, 0, 2), kept)


@pytest.mark.parametrize("threads", [1, 3])
def test_windows_of_a_batch_are_the_windows_one_by_one(store, threads):
    one, two = (open_stored(store, "a", name, "p") for name in ("one", "two"))
    places = [(one, 2, (2, 0)), (two, 0, (0, 0)), (one, N_EPOCHS - 1, (1, 1))]
    together = SignalReader(threads=threads).windows(places, 3)
    for (recording, first, channels), x in zip(places, together, strict=True):
        assert np.array_equal(SignalReader().window(recording, first, 3, channels), x)


def test_batches_hold_the_signals_and_labels_of_the_sampled_windows(store):
    recordings = [open_stored(store, "a", name, name) for name in ("one", "two")]
    sampler, plan = WindowSampler(recordings, 4, 0.5), Plan(5, ("windows",), 3)
    batches = iter(WindowBatches(sampler, SignalReader(), 4, plan))
    for update in range(4):
        drawn, (x, present, labels, n_scored) = sampler.batch(3, generator(5, "windows", update)), next(batches)
        assert x.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert n_scored == 12
        assert present.all()
        for window, xs, stages in zip(drawn, x.numpy(), labels.tolist(), strict=True):
            kinds = ("eeg", "eog") if window.recording.recording == "one" else ("eeg",)
            at = slice(window.first_epoch * EPOCH, (window.first_epoch + 4) * EPOCH)
            wanted = raw(store, window.recording.recording, kinds)[list(window.channels), at]
            assert np.allclose(xs, wanted, rtol=4 * UNIT, atol=0)
            assert stages == [(window.first_epoch + i) % 5 for i in range(4)]

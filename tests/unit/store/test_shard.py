"""The fast reader and writer of sharded arrays, against zarr-python in both directions."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec

from hypnoflow.errors import RecordingError
from hypnoflow.store.shard import ShardedArray, write_shard

CHUNK = 100


def empty(path, shape):
    shards = (shape[0], -(-shape[1] // CHUNK) * CHUNK)
    codec = BloscCodec(typesize=2, cname="lz4", clevel=5, shuffle="bitshuffle")
    return zarr.create_array(
        path, shape=shape, dtype="int16", chunks=(1, CHUNK), shards=shards, compressors=codec, fill_value=0
    )


@pytest.fixture
def x(rng):
    x = rng.integers(-32768, 32767, (3, 1234)).astype(np.int16)
    x[1, 300:500] = 0  # two chunks of nothing but the fill value, which zarr-python leaves out
    return x


def test_zarr_reads_what_was_written_here(tmp_path, x):
    empty(tmp_path / "a", x.shape)
    write_shard(tmp_path / "a", x, CHUNK)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a", mode="r")[:], x)


def test_what_zarr_wrote_is_read_here(tmp_path, x):
    empty(tmp_path / "a", x.shape)[:] = x
    np.testing.assert_array_equal(ShardedArray.open(tmp_path / "a").read(1, 0, 1234), x[1])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    x = np.random.default_rng(1).integers(-32768, 32767, (3, 1234)).astype(np.int16)
    path = tmp_path_factory.mktemp("shard") / "a"
    empty(path, x.shape)
    write_shard(path, x, CHUNK)
    return ShardedArray.open(path), x


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1233), st.integers(0, 1400), st.lists(st.integers(0, 2), min_size=1, max_size=4))
def test_any_window_of_any_channels_is_that_of_the_array(written, start, n, channels):
    array, x = written
    for channel in channels:
        np.testing.assert_array_equal(array.read(channel, start, start + n), x[channel, start : start + n])


def test_a_file_cut_off_is_named(tmp_path, x):
    empty(tmp_path / "a", x.shape)
    write_shard(tmp_path / "a", x, CHUNK)
    file = tmp_path / "a" / "c" / "0" / "0"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(RecordingError, match="index of chunks is damaged"):
        ShardedArray.open(tmp_path / "a")


def test_a_damaged_chunk_is_named(tmp_path, x):
    empty(tmp_path / "a", x.shape)
    write_shard(tmp_path / "a", x, CHUNK)
    array = ShardedArray.open(tmp_path / "a")
    file = tmp_path / "a" / "c" / "0" / "0"
    file.write_bytes(b"\xff" * 40 + file.read_bytes()[40:])
    with pytest.raises(RecordingError, match="cannot be decoded"):
        array.read(0, 0, 50)


@pytest.mark.parametrize("layout", ["missing", "float", "unsharded"])
def test_another_layout_is_refused(tmp_path, layout):
    if layout == "float":
        empty(tmp_path / "b", (1, 5))
        zarr.create_array(tmp_path / "a", shape=(1, 5), dtype="float32", chunks=(1, 5), shards=(1, 5))[:] = 1
    elif layout == "unsharded":
        zarr.create_array(tmp_path / "a", shape=(1, 5), dtype="int16", chunks=(1, 5))[:] = 1
    with pytest.raises(RecordingError, match="not a signal array|not an array of a store"):
        ShardedArray.open(tmp_path / "a")

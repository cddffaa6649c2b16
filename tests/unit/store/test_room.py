"""A long night lies in a file without a name, and is the same night."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from hypnoflow.errors import RecordingError
from hypnoflow.store import room
from hypnoflow.store.room import Room


@pytest.fixture
def always_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(room, "LARGE_BYTES", 0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(room.tempfile, "tempdir", None)
    return tmp_path


def test_what_is_written_is_read_again_after_its_memory_was_let_go_and_no_file_is_left(always_a_file, rng, caplog):
    wanted = rng.integers(-32767, 32767, (3, 100_000)).astype(np.int16)
    large = Room(wanted.nbytes)
    with caplog.at_level("INFO"):
        x = large.array(wanted.shape)
    assert f"0.0 GB of samples lie in a file in {always_a_file} meanwhile" in caplog.text
    for row, values in zip(x, wanted, strict=True):
        row[:] = values
        large.settle()
    np.testing.assert_array_equal(x, wanted)
    assert list(always_a_file.iterdir()) == []


def test_a_night_that_fits_is_in_no_file(always_a_file, monkeypatch):
    monkeypatch.setattr(room, "LARGE_BYTES", 2**30)
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: pytest.fail("a file was made"))
    assert Room(1000).array((5, 100)).shape == (5, 100)


def test_a_disk_without_room_is_one_message_and_ends_nothing(always_a_file):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # as a full disk, but for its number
    try:
        with pytest.raises(RecordingError, match="GB of samples do not fit into") as caught:
            Room(10**6).array((5, 100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(always_a_file) in caught.value.what
    assert "TMPDIR" in str(caught.value.hint)


@pytest.mark.parametrize(("most", "now", "left"), [("3000\n", "1000\n", [2000]), ("max\n", "5\n", []), ("1", "5", [0])])
def test_a_control_group_leaves_what_it_does_not_use(tmp_path, most, now, left):
    (tmp_path / "memory.max").write_text(most)
    (tmp_path / "memory.current").write_text(now)
    assert room._left_by_group(tmp_path) == left


def test_no_control_group_is_no_limit():
    assert room._left_by_group(Path("/nowhere")) == []

"""A file that changes, vanishes or fails while it is read, or kills who reads it, costs its recording and no other."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests import faults
from tests.nights import write_night

from hypnoflow.config.harmonize import Harmonize
from hypnoflow.direct.harmonize import given_rows
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize import job as run
from hypnoflow.harmonize import recording

NAMES = ("a", "b", "c", "d")
HIT = "b"
BLOCKS = 4  # of 16 KiB, in the 60 KB of samples of a night of 150 s


@pytest.fixture(scope="module")
def nights(tmp_path_factory) -> Path:
    folder, rng = tmp_path_factory.mktemp("nights"), np.random.default_rng(1)
    for name in NAMES:
        write_night(folder / f"{name}.edf", rng)
        (folder / f"{name}.csv").write_text("onset,duration,stage\n0,150,N2\n", encoding="utf-8")
    return folder


@pytest.fixture
def folder(nights, tmp_path) -> Path:
    return shutil.copytree(nights, tmp_path / "nights")


def harmonize(folder, store, **options):
    rows, config, _ = given_rows([folder], None, {})
    return run.harmonize_shard(rows, config, store, Harmonize(), **options).set_index("recording")


def contents(store, name) -> dict[str, str]:
    """Return the hash of every file of a recording's group."""
    group = store / name
    return {
        str(path.relative_to(group)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(group.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def undisturbed(nights, tmp_path_factory) -> Path:
    store = tmp_path_factory.mktemp("undisturbed") / "000.zarr"
    assert (harmonize(nights, store)["status"] == "ok").all()
    return store


def only_one_is_skipped(table, store, undisturbed) -> str:
    """Check that all others are there, bit for bit as in a run without a fault; return the one's reason."""
    assert table["status"].to_dict() == {name: "skipped" if name == HIT else "ok" for name in NAMES}
    assert not (store / HIT).exists()
    for name in set(NAMES) - {HIT}:
        assert contents(store, name) == contents(undisturbed, name) != {}
    return table.loc[HIT, "reason"]


@pytest.fixture
def strike():
    """Return a function that puts a fault into this process until the test is over."""
    undo = []

    def put(kind, block):
        count, remove = faults.install(f"{HIT}.edf", kind, block)
        undo.append(remove)
        return count

    yield put
    for remove in undo:
        remove()


def test_a_night_is_read_in_the_blocks_that_the_faults_count(folder, tmp_path, strike):
    count = strike("none", 0)
    harmonize(folder, tmp_path / "000.zarr")
    assert count() == BLOCKS


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("EIO", f"cannot be read: Input/output error (errno {errno.EIO})"),
        ("cut", "was cut off while it was read: 60768 bytes were there when it was opened, 30384 now"),
        ("vanish", "vanished while it was read"),
    ],
)
def test_a_fault_at_any_block_costs_that_recording_only(folder, tmp_path, undisturbed, strike, kind, said, block):
    assert (folder / f"{HIT}.edf").stat().st_size == 60768
    strike(kind, block)
    table = harmonize(folder, tmp_path / "000.zarr")
    assert only_one_is_skipped(table, tmp_path / "000.zarr", undisturbed) == said
    assert table.loc[HIT, "path"] == f"{HIT}.edf"


@pytest.mark.parametrize("kind", ["EIO", "cut"])
def test_a_fault_costs_that_recording_only_in_processes_too(folder, tmp_path, undisturbed, monkeypatch, kind):
    monkeypatch.setattr(run, "WORTH_PROCESSES", 2)
    faults.for_processes(monkeypatch, tmp_path / "site", f"{HIT}.edf", kind, BLOCKS - 1)
    table = harmonize(folder, tmp_path / "000.zarr", threads=2)
    reason = only_one_is_skipped(table, tmp_path / "000.zarr", undisturbed)
    assert ("errno 5" if kind == "EIO" else "was cut off while it was read") in reason


def test_a_process_that_dies_costs_the_recording_that_killed_it(folder, tmp_path, undisturbed, monkeypatch):
    monkeypatch.setattr(run, "WORTH_PROCESSES", 2)
    faults.for_processes(monkeypatch, tmp_path / "site", f"{HIT}.edf", "die", 0)
    table = harmonize(folder, tmp_path / "000.zarr", threads=2)
    reason = only_one_is_skipped(table, tmp_path / "000.zarr", undisturbed)
    assert reason == "the process that read it died (signal 9, SIGKILL), also when it was alone"
    assert "memory" in table.loc[HIT, "hint"]


def test_where_errors_abort_a_process_that_dies_is_the_error_of_its_recording(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "WORTH_PROCESSES", 2)
    faults.for_processes(monkeypatch, tmp_path / "site", f"{HIT}.edf", "die", 0)
    with pytest.raises(RecordingError, match="signal 9") as caught:
        harmonize(folder, tmp_path / "000.zarr", threads=2, on_error="abort")
    assert caught.value.recording == HIT
    assert not (tmp_path / "000.zarr").exists()


def rewrite(path):
    path.write_bytes(path.read_bytes())


def append(path):
    with path.open("ab") as file:
        file.write(b"\n")


def replace(path):
    new = path.with_suffix(".new")
    shutil.copy2(path, new)
    new.replace(path)


@pytest.mark.parametrize("suffix", [".edf", ".csv"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rewrite, "was changed while it was read"),
        (append, "was changed while it was read: "),
        (replace, "was changed while it was read"),
        (lambda path: os.truncate(path, 20), "was cut off while it was read: "),
        (Path.unlink, "vanished while it was read"),
    ],
)
def test_what_changes_after_it_was_read_is_not_believed(
    folder, tmp_path, undisturbed, monkeypatch, suffix, change, said
):
    real = recording.harmonize_signals

    def then_change(file, *args):
        done = real(file, *args)
        if file.path.stem == HIT:
            change(file.path.with_suffix(suffix))
        return done

    monkeypatch.setattr(recording, "harmonize_signals", then_change)
    table = harmonize(folder, tmp_path / "000.zarr")
    assert only_one_is_skipped(table, tmp_path / "000.zarr", undisturbed).startswith(said)
    assert table.loc[HIT, "path"] == f"{HIT}{suffix}"


def test_a_source_that_fails_while_it_is_hashed_costs_that_recording_only(folder, tmp_path, undisturbed, monkeypatch):
    real = recording.sha256

    def sha256(path):
        if path.name == f"{HIT}.csv":
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    monkeypatch.setattr(recording, "sha256", sha256)
    table = harmonize(folder, tmp_path / "000.zarr")
    assert "Input/output error" in only_one_is_skipped(table, tmp_path / "000.zarr", undisturbed)
    assert table.loc[HIT, "path"] == f"{HIT}.csv"


def test_a_disk_that_is_full_stops_the_shard_and_is_no_fault_of_the_recording(folder, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(recording, "write_recording", full)
    with pytest.raises(OSError, match="No space left"):
        harmonize(folder, tmp_path / "000.zarr")
    assert not (tmp_path / "000.zarr").exists()

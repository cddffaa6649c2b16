"""Files that are either whole or not there, and hashes that depend on content alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypnoflow.facts.files import fingerprint, records, replaceable, replacing, sha256, write_json
from hypnoflow.facts.provenance import provenance


def test_a_file_takes_the_place_of_the_old_one_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    replaceable(path)
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_no_debris(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    replaceable(path)
    with pytest.raises(KeyError), replacing(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_makes_no_file_where_there_was_none(tmp_path):
    with pytest.raises(KeyError), replacing(tmp_path / "deep" / "a.txt") as partial:
        partial.write_text("half")
        raise KeyError
    assert list((tmp_path / "deep").iterdir()) == []


def test_missing_folders_are_made(tmp_path):
    write_json(tmp_path / "a" / "b.json", {"x": 1})
    assert json.loads((tmp_path / "a" / "b.json").read_text()) == {"x": 1}


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    replaceable(path)
    with pytest.raises(TypeError):
        write_json(path, {("a", "tuple"): 1})
    assert json.loads(path.read_text()) == {"x": 1}


def test_numpy_numbers_and_paths_become_plain_json(tmp_path):
    write_json(tmp_path / "a.json", {"n": np.int64(3), "x": np.float32(0.5), "p": Path("a/b")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"n": 3, "x": 0.5, "p": "a/b"}


def test_the_sha256_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 100_000)
    assert sha256(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.lists(st.integers(), max_size=3), max_size=6))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(data):
    assert fingerprint({"a": data}) == fingerprint({"a": dict(reversed(data.items()))})


@pytest.mark.parametrize("other", [{"a": 2, "b": 2}, {"a": 1}, {"a": 1, "b": [2]}, {"a": "1", "b": 2}])
def test_a_fingerprint_changes_with_any_value(other):
    assert fingerprint({"a": 1, "b": 2}) != fingerprint(other)


def test_a_fingerprint_depends_on_the_order_of_a_list():
    assert fingerprint([1, 2]) != fingerprint([2, 1])


def test_a_tables_rows_become_dictionaries():
    table = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[5, 6])
    assert records(table) == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


def test_provenance_names_the_clusters_job_only_where_there_is_one(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert "slurm_job_id" not in provenance()
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert provenance()["slurm_job_id"] == "4711"
    assert provenance()["numpy"] == np.__version__

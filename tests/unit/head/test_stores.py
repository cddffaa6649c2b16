"""A store is what its sibling JSON says, or it is damaged."""

from __future__ import annotations

import errno
import json

import numpy as np
import pytest

from hypnoflow.facts.code import DOORS
from hypnoflow.facts.files import replaceable
from hypnoflow.facts.layout import RECORDS
from hypnoflow.facts.provenance import write_facts
from hypnoflow.head import stores
from hypnoflow.head.stores import check, damaged, siblings
from hypnoflow.store.scores import StoredScores, write_scores
from hypnoflow.store.store_files import consolidate, content_hash, file_sizes, start_store


@pytest.fixture
def sibling(tmp_path):
    """A store of scores of two recordings, and its JSON."""
    store = tmp_path / "results" / "score" / "m" / "shhs" / "000.zarr"
    start_store(store, "recipe")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        stage = {1: rng.integers(0, 5, 960).astype(np.uint8)}
        write_scores(store, name, StoredScores(stage, rng.random((960, 5), np.float32), 1), {}, {})
    consolidate(store)
    path = store.with_suffix(".json")
    facts = {"recordings": {n: content_hash(store / n) for n in ("a", "b")}}
    write_facts(path, "score", facts | {"bytes": {n: file_sizes(store / n) for n in ("a", "b")}})
    return path


def chunk(sibling):
    return sibling.with_suffix(".zarr") / "b" / "probability" / "c" / "0" / "0"


def test_a_whole_store_is_whole(sibling):
    assert siblings(sibling.parents[3]) == [sibling]
    assert damaged([sibling], "sizes") == damaged([sibling], "hashes") == []


@pytest.mark.parametrize("how", ["sizes", "hashes"])
def test_a_file_cut_off_or_gone_is_named(sibling, how):
    size = chunk(sibling).stat().st_size
    chunk(sibling).write_bytes(chunk(sibling).read_bytes()[:-1])
    assert check(sibling, how).what == f"b/probability/c/0/0 has {size - 1} bytes, written were {size} bytes"
    chunk(sibling).unlink()
    assert check(sibling, how).what == f"b/probability/c/0/0 is missing, written were {size} bytes"


def test_a_changed_bit_is_found_by_the_hash_only(sibling):
    data = bytearray(chunk(sibling).read_bytes())
    data[0] ^= 1
    chunk(sibling).write_bytes(data)
    assert check(sibling, "sizes") is None
    assert check(sibling, "hashes").what == "b is not what was written (SHA-256)"


def test_a_missing_store_a_torn_json_and_an_older_one_are_damage(sibling):
    facts = json.loads(sibling.read_text())
    sibling.write_text(json.dumps({name: facts[name] for name in ("recordings", "bytes", "provenance")}))
    assert "older version" in check(sibling, "sizes").what
    sibling.write_text(sibling.read_text()[:-5])
    assert "not readable" in check(sibling, "sizes").what
    sibling.write_text(json.dumps(facts))
    sibling.with_suffix(".zarr").rename(sibling.with_suffix(".elsewhere"))
    assert check(sibling, "sizes").what == "the store is missing"


def test_setting_aside_takes_the_json_away_and_nothing_else(sibling):
    chunk(sibling).unlink()
    check(sibling, "sizes").set_aside()
    assert not sibling.exists()
    assert sibling.with_suffix(".zarr").is_dir()


@pytest.fixture
def of_table(tmp_path):
    """A table, a text of it in a folder, and the JSON of both."""
    path = tmp_path / "results" / "predict" / "m" / "age.json"
    files = [path.with_suffix(".parquet"), path.parent / "texts" / "age.csv"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"some rows")
    write_facts(path, "predict", {"persons": 3}, files)
    return path


def test_tables_have_sizes_and_hashes_too(of_table):
    facts = json.loads(of_table.read_text())
    # printf 'some rows' | sha256sum
    digest = "3818bf0061cd5584782d3b34ffc301d9cf78d168896838bb62d7091151a25e2e"
    assert facts["files"].keys() == {"age.parquet", "texts/age.csv"}
    assert facts["files"]["age.parquet"] == {"bytes": 9, "sha256": digest}
    assert siblings(of_table.parents[2]) == [of_table]
    assert check(of_table, "hashes") is None


@pytest.mark.parametrize("name", ["age.parquet", "texts/age.csv"])
def test_a_table_cut_off_changed_or_gone_is_named(of_table, name):
    file = of_table.parent / name
    file.write_bytes(b"some raws")
    assert check(of_table, "sizes") is None
    assert check(of_table, "hashes").what == f"{file.name} is not what was written (SHA-256)"
    file.write_bytes(b"some row")
    assert check(of_table, "sizes").what == f"{file.name} has 8 bytes, written were 9 bytes"
    file.unlink()
    assert check(of_table, "sizes").what == f"{file.name} is missing, written were 9 bytes"


def test_an_empty_file_that_is_gone_and_one_that_cannot_be_read_are_named(of_table, monkeypatch):
    file = of_table.with_suffix(".parquet")
    file.write_bytes(b"")
    replaceable(of_table)
    write_facts(of_table, "predict", {}, [file])
    assert check(of_table, "hashes") is None
    file.unlink()
    assert check(of_table, "hashes").what == "age.parquet is missing, written were 0 bytes"
    file.touch()

    def broken(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(stores, "sha256", broken)
    assert check(of_table, "hashes").what == "age.parquet cannot be read (Input/output error)"


def test_setting_a_table_aside_takes_the_damaged_file_too_and_leaves_the_others(of_table):
    """A rule that reads the table alone would not see that its JSON is gone."""
    file = of_table.with_suffix(".parquet")
    file.write_bytes(b"some row")
    check(of_table, "sizes").set_aside()
    assert not of_table.exists()
    assert not file.exists()
    assert (of_table.parent / "texts" / "age.csv").exists()


def test_a_json_of_somebody_else_is_left_alone(of_table):
    mine = of_table.with_name("mine.json")
    of_table.with_name("._age.json").write_bytes(b"\0\5\x16\7")  # as macOS leaves them
    # The last is like what `hypnoflow score night.edf` writes: no stage made it.
    for text in (
        '{"recordings": {}, "bytes": 3}',
        "null",
        "3",
        '{"files": ["a.csv"], "provenance": {"hypnoflow": "1"}}',
    ):
        mine.write_text(text)
        assert damaged(siblings(of_table.parents[2]), "hashes") == []


def test_every_stage_leaves_a_json_where_it_is_looked_for():
    assert set(RECORDS) == set(DOORS)

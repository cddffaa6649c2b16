"""The contract of a manifest, and its two files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hypnoflow.errors import CohortError
from hypnoflow.store.manifest import (
    COLUMNS,
    empty_manifest,
    read_manifest,
    shard_fingerprints,
    validate,
    write_manifest,
)


def row(recording, **changes):
    return {
        "cohort": "shhs",
        "recording": recording,
        "person": recording.split("-")[1],
        "group": recording.split("-")[1],
        "visit": "1",
        "shard": "000",
        "signal_path": f"edfs/{recording}.edf",
        "annotation_paths": [f"xml/{recording}-nsrr.xml"],
        "staged": True,
        "excluded": "",
        "left_out": [],
        "age_y": 61.5,
        "sex": "female",
        "ahi_per_h": 4.25,
        "bmi": 27.0,
        "source_columns": "{}",
        "simulated": False,
        **changes,
    }


@pytest.fixture
def manifest():
    return pd.DataFrame([row("shhs1-1"), row("shhs1-2", age_y=None, sex=None, ahi_per_h=None, annotation_paths=[])])


def test_a_manifest_is_read_as_it_was_written(tmp_path, manifest):
    write_manifest(tmp_path / "shhs.parquet", manifest, {})
    read = read_manifest(tmp_path / "shhs.parquet")
    assert list(read.columns) == list(COLUMNS)
    assert [list(paths) for paths in read["annotation_paths"]] == [["xml/shhs1-1-nsrr.xml"], []]
    assert [list(channels) for channels in read["left_out"]] == [[], []]
    for name in set(COLUMNS) - {"annotation_paths", "left_out"}:
        present = manifest[name].notna()
        assert read[name][present].tolist() == manifest[name][present].tolist()


def test_missing_values_stay_missing(tmp_path, manifest):
    write_manifest(tmp_path / "shhs.parquet", manifest, {})
    second = read_manifest(tmp_path / "shhs.parquet").iloc[1]
    assert pd.isna(second["sex"])
    assert np.isnan(second["age_y"])
    assert np.isnan(second["ahi_per_h"])


def test_the_json_twin_holds_the_same_rows_and_what_is_said_about_them(tmp_path, manifest):
    write_manifest(tmp_path / "shhs.parquet", manifest, {"problem": "", "problems": ["shhs1-2: no row"]})
    twin = json.loads((tmp_path / "shhs.json").read_text())
    assert twin["problems"] == ["shhs1-2: no row"]
    assert [r["recording"] for r in twin["recordings"]] == ["shhs1-1", "shhs1-2"]
    assert [r["age_y"] for r in twin["recordings"]] == [61.5, None]
    assert twin["recordings"][0]["annotation_paths"] == ["xml/shhs1-1-nsrr.xml"]


def test_an_empty_manifest_can_be_written_and_read(tmp_path):
    write_manifest(tmp_path / "shhs.parquet", empty_manifest(), {"problem": "no folder"})
    read = read_manifest(tmp_path / "shhs.parquet")
    assert len(read) == 0
    assert list(read.columns) == list(COLUMNS)


@pytest.mark.parametrize("column", ["person", "age_y", "simulated"])
def test_a_missing_column_is_named(manifest, column):
    with pytest.raises(CohortError, match=f"shhs.*{column}"):
        validate(manifest.drop(columns=column), "shhs")


def test_a_recording_that_occurs_twice_is_named(manifest):
    with pytest.raises(CohortError, match="'shhs1-1' occurs more than once"):
        validate(pd.concat([manifest, manifest.iloc[:1]]), "shhs")


def test_another_word_for_sex_is_refused_by_that_word(manifest):
    with pytest.raises(CohortError, match="'F'"):
        validate(manifest.assign(sex=["F", "male"]), "shhs")


@pytest.mark.parametrize("age", [-1, 121, 999])
def test_an_impossible_age_is_refused_with_its_recording(manifest, age):
    with pytest.raises(CohortError, match=f"shhs1-2.*{age}"):
        validate(manifest.assign(age_y=[60, age]), "shhs")


OUTSIDE = ["/etc/passwd", "../other/a.edf", "edfs/../../a.edf", "..", "C:\\a.edf", "edfs\\..\\a.edf", "\\\\host\\a", ""]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_could_leave_the_cohorts_root_is_refused_with_its_recording(manifest, path):
    with pytest.raises(CohortError, match=r"shhs: shhs1-1 has the path .*relative to the cohort's root"):
        validate(manifest.assign(signal_path=[path, "b.edf"]), "shhs")
    with pytest.raises(CohortError, match=r"shhs: shhs1-2 has the path .*relative to the cohort's root"):
        validate(manifest.assign(annotation_paths=[[], ["b.xml", path]]), "shhs")


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", ".", "..", ".hidden", ""])
def test_a_recording_whose_name_cannot_be_a_folder_is_refused(manifest, name):
    with pytest.raises(CohortError, match="cannot be the name of a folder"):
        validate(manifest.assign(recording=["shhs1-1", name]), "shhs")


@pytest.mark.parametrize("path", ["a.edf", "b/c/a b.edf", "..a/b...edf", "x/a..edf", "./a.edf", "tr:03.hea"])
def test_ordinary_paths_are_accepted(manifest, path):
    validate(manifest.assign(signal_path=path), "shhs")


def test_a_manifest_that_leads_out_of_its_root_is_refused_when_it_is_read(tmp_path, manifest):
    write_manifest(tmp_path / "shhs.parquet", manifest, {})
    manifest.assign(signal_path="../a.edf").to_parquet(tmp_path / "shhs.parquet")
    with pytest.raises(CohortError, match=r"'\.\./a\.edf'"):
        read_manifest(tmp_path / "shhs.parquet")


def test_a_manifest_that_breaks_the_contract_is_not_written(tmp_path, manifest):
    with pytest.raises(CohortError):
        write_manifest(tmp_path / "shhs.parquet", manifest.assign(sex="x"), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"not parquet"])
def test_an_unreadable_manifest_is_one_message(tmp_path, content):
    path = tmp_path / "shhs.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CohortError, match="shhs.parquet"):
        read_manifest(path)


def test_a_shards_fingerprint_follows_its_own_rows_and_no_persons_age(tmp_path, manifest):
    def fingerprints(changed):
        write_manifest(tmp_path / "shhs.parquet", changed, {})
        return shard_fingerprints(tmp_path / "shhs.parquet")

    two = manifest.assign(shard=["000", "123456"])
    before = fingerprints(two)
    assert list(before) == ["000", "123456"]
    assert len(set(before.values())) == 2
    for same in (two.assign(age_y=7.0), two.assign(sex="male"), two.assign(ahi_per_h=1.5)):
        assert fingerprints(same) == before
    for column, value in (("signal_path", "x.edf"), ("group", "f1"), ("excluded", "torn"), ("staged", False)):
        changed = two.copy()
        changed.loc[changed.index[1], column] = value
        after = fingerprints(changed)
        assert after["000"] == before["000"]
        assert after["123456"] != before["123456"]
    assert fingerprints(two.iloc[:1]) == {"000": before["000"]}

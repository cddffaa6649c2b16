"""Outputs without Snakemake's record are compared with the plan by what their JSON says."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake.persistence.file import FilePersistence

from hypnoflow.head import lost
from hypnoflow.head.lost import Plan, metadata_path, outdated


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def science(wildcards):
    return json.dumps({"cohort": {"a": 1, "b": 2}[wildcards.cohort], "seed": 5})


PLAN = Plan("results/index/{cohort}.json", science, lambda _: "code1")


def write(folder, cohort, options, code="code1"):
    path = folder / "results" / "index" / f"{cohort}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["hypnoflow", "index", cohort, "--science", json.dumps(options)]
    path.write_text(json.dumps({"files": {}, "provenance": {"stage": "index", "code": code, "command": command}}))


@pytest.mark.parametrize(
    ("options", "code", "what"),
    [
        ({"seed": 5, "cohort": 1}, "code1", None),  # the order of keys is nothing
        ({"seed": 6, "cohort": 1}, "code1", "index: made with other options than there are now"),
        ({"seed": 5, "cohort": 1}, "code0", "index: made by other code (code0) than there is now"),
    ],
)
def test_options_and_code_are_compared(folder, options, code, what):
    write(folder, "a", options, code)
    assert [damage.what for damage in outdated({"index": PLAN})] == ([what] if what else [])


def test_with_a_record_it_is_snakemakes_business(folder):
    write(folder, "a", {"seed": 6})
    output = next(PLAN.outputs())[0]
    record = metadata_path(output, folder / ".snakemake")
    record.parent.mkdir(parents=True)
    record.write_text('{"params": ["seed"]}')
    assert outdated({"index": PLAN}) == []
    record.write_text('{"params": ["se')  # the machine died: Snakemake takes it for an empty one
    assert len(outdated({"index": PLAN})) == 1


def test_what_is_not_planned_is_left_alone(folder):
    write(folder, "b", {"seed": 6})
    plan = Plan(PLAN.pattern, science, lambda _: "code1", lambda wildcards: wildcards.cohort != "b")
    assert outdated({"index": plan}) == []


def test_other_recordings_than_the_manifest_has_are_seen(folder):
    write(folder, "a", {"seed": 5, "cohort": 1})
    path = folder / "results" / "index" / "a.json"
    made = {"recordings": {"x": ""}, "skipped": [{"recording": "y"}], "bytes": {}, "files": {}}
    path.write_text(json.dumps(json.loads(path.read_text()) | made))
    path.with_suffix(".zarr").mkdir()
    (path.with_suffix(".zarr") / "zarr.json").touch()

    def found(*names):
        plan = Plan(PLAN.pattern, science, lambda _: "code1", recordings=lambda _: set(names) or None)
        return [damage.what for damage in outdated({"index": plan})]

    assert "index: made of other recordings than the manifest has now" not in found("x", "y")
    assert "index: made of other recordings than the manifest has now" not in found()  # nobody knows
    assert found("x", "y", "z") == ["index: made of other recordings than the manifest has now"]


def test_an_absolute_folder_and_one_with_odd_characters_are_searched(folder):
    (folder / "a [b]" / "index").mkdir(parents=True)
    (folder / "a [b]" / "index" / "a.json").write_text("{}")
    plan = Plan(f"{folder}/a [b]/index/{{cohort}}.json", science, lambda _: "code1")
    assert [vars(wildcards) for _, wildcards in plan.outputs()] == [{"cohort": "a"}]


def test_what_was_read_and_found_whole_is_not_read_again(folder, monkeypatch):
    write(folder, "a", {"seed": 5, "cohort": 1})
    (folder / ".snakemake").mkdir()
    read = []
    monkeypatch.setattr(lost, "damaged", lambda paths, how: read.append(list(paths)) or [])
    for _ in range(2):
        assert outdated({"index": PLAN}) == []
    assert [len(paths) for paths in read] == [1, 0]


def test_a_torn_json_and_one_of_an_older_version_are_made_again(folder):
    write(folder, "a", {})
    (folder / "results" / "index" / "a.json").write_text('{"provenance"')
    write(folder, "b", {})
    (folder / "results" / "index" / "b.json").write_text("{}")
    torn, other = outdated({"index": PLAN})
    assert "not readable" in torn.what
    assert "does not say what it was made with" in other.what


def test_wildcards_are_read_back_from_paths(folder):
    for name in ("results/score/m/shhs/000.json", "results/score/m/shhs/.000.json.partial"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    plan = Plan("results/score/{model}/{cohort}/{shard}.json", science, lambda _: "")
    assert [vars(wildcards) for _, wildcards in plan.outputs()] == [{"model": "m", "cohort": "shhs", "shard": "000"}]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=600))
def test_records_are_where_snakemake_keeps_them(output):
    theirs = FilePersistence._record_path(SimpleNamespace(_fetch_max_len=lambda _: 255), "metadata", output)
    assert os.fspath(metadata_path(output, SimpleNamespaceAsPath())) == theirs


class SimpleNamespaceAsPath:
    """A folder whose metadata lies in the current one, to compare names only."""

    def joinpath(self, *parts):
        return os.path.join(*parts)  # noqa: PTH118

"""Results that a stranger handed on, and folders that are none: nothing outside is touched, nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import make_workflow

MINE = b"three years of work\n"
HYPNOFLOW = str(Path(sys.executable).parent / "hypnoflow")


def hypnoflow(workflow, *words):
    return subprocess.run(
        [HYPNOFLOW, *words], cwd=workflow.folder, capture_output=True, text=True, env=workflow.environment, timeout=300
    )


@pytest.fixture
def thesis(copy_of_finished):
    """A file of the user's beside the results that were handed on."""
    path = copy_of_finished.folder / "home" / "thesis.docx"
    path.parent.mkdir()
    path.write_bytes(MINE)
    return path


def make_hostile(results, thesis, names):
    """Let the JSONs of some outputs name what lies elsewhere, or say something odd."""
    size = {"bytes": 3, "sha256": "0" * 64}
    facts = {
        "index/shhs": {"files": {"../../home/thesis.docx": size}},
        "split/anysleep": {"files": {str(thesis): size}},
        "split/drawn": {"files": {"/dev/zero": {"bytes": 0, "sha256": "0" * 64}}},
        "evaluate/anysleep": {"files": [str(thesis)]},
        "features/anysleep": {"files": {"anysleep.parquet": "none"}},
        "harmonized/shhs/000": {"bytes": {"../../../home": {"thesis.docx": 3}}},
        "score/anysleep/shhs/000": {"recordings": {"../../../../home": "0"}},
        "predict/anysleep/age": {"files": {"../../../home/thesis.docx": size}},
        "predict/anysleep/sex": None,
    }
    for name in names or facts:
        path = results / f"{name}.json"
        if facts[name] is None:
            path.write_text("[" * 100_000)
        else:
            path.write_text(json.dumps(json.loads(path.read_text()) | facts[name]))
    return {f"results/{name}" for name in names or facts}


def test_names_that_lead_out_of_the_results_are_damage_and_touch_nothing(copy_of_finished, thesis):
    expected = make_hostile(copy_of_finished.results, thesis, ())
    done = hypnoflow(copy_of_finished, "verify", "results")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == expected
    done = hypnoflow(copy_of_finished, "verify", "results", "--set-aside")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert thesis.read_bytes() == MINE


def test_results_of_a_stranger_can_be_started_on_and_reported(copy_of_finished, thesis):
    results = copy_of_finished.results
    make_hostile(results, thesis, ("evaluate/anysleep", "predict/anysleep/age", "predict/anysleep/sex"))
    refused = copy_of_finished.run(check=False)  # the first says of none of the files that it is ours
    assert "results/evaluate/anysleep.parquet is there, and is not known to be made by hypnoflow" in refused.stdout
    assert "`hypnoflow verify results --set-aside` moves it" in refused.stdout
    hypnoflow(copy_of_finished, "verify", "results", "--set-aside")
    copy_of_finished.run()
    assert hypnoflow(copy_of_finished, "verify", "results").returncode == 0
    assert (results / "report" / "report.html").stat().st_size > 100_000
    assert thesis.read_bytes() == MINE


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("logs/split/anysleep.log", "home/thesis.docx"),
        ("index/shhs.json", "home/thesis.docx"),
        (".hypnoflow.head", "home/thesis.docx"),
        ("logs/runs.jsonl", "home/thesis.docx"),
        ("evaluate/anysleep.parquet", "/dev/zero"),
        ("score", "home"),
    ],
)
def test_a_link_in_results_leads_nowhere(copy_of_finished, thesis, place, target):
    path = copy_of_finished.results / place
    if path.is_dir():
        path.rename(path.with_name("was"))
    else:
        path.unlink()
    path.symlink_to(target if target.startswith("/") else copy_of_finished.folder / target)
    done = copy_of_finished.run(check=False)
    assert done.returncode
    assert "is a link to" in done.stdout or "cannot write" in done.stdout
    assert "Traceback" not in done.stdout
    looked = hypnoflow(copy_of_finished, "verify", "results", "--set-aside")
    assert "Traceback" not in looked.stderr
    assert thesis.read_bytes() == MINE
    assert path.is_symlink()
    assert [p.name for p in thesis.parent.iterdir()] == ["thesis.docx"]


def test_a_link_within_a_store_is_not_followed(copy_of_finished, thesis):
    store = copy_of_finished.results / "harmonized" / "shhs" / "000.zarr"
    chunk = next(path for path in sorted(store.rglob("0")) if path.is_file())
    chunk.unlink()
    chunk.symlink_to("/dev/zero")
    done = hypnoflow(copy_of_finished, "verify", "results")
    assert done.returncode == 1
    assert "results/harmonized/shhs/000" in done.stdout
    assert thesis.read_bytes() == MINE


@pytest.mark.parametrize(
    "place", ["index/shhs.parquet", "logs/split/anysleep.log", "simulate/shhs.json", "report/mine"]
)
def test_a_folder_with_the_users_own_files_is_no_folder_of_results(tmp_path, place):
    workflow = make_workflow(tmp_path)
    workflow.config["run"]["results"] = "theirs"
    path = tmp_path / "theirs" / place
    path.parent.mkdir(parents=True)
    path.write_bytes(MINE)
    done = workflow.run(check=False)
    assert done.returncode
    assert f"theirs/{place} is there, and is not known to be made by hypnoflow; nothing was touched" in done.stdout
    assert {p for p in (tmp_path / "theirs").rglob("*") if p.is_file()} == {path}
    assert path.read_bytes() == MINE


@pytest.mark.parametrize("place", ["split/anysleep.csv", "index/shhs.json", "predict/anysleep/age.parquet"])
def test_a_file_of_the_users_under_a_planned_name_stops_the_start(copy_of_finished, place):
    results = copy_of_finished.results
    record = (results / place).with_suffix(".json")
    (record if record.exists() else results / place).unlink()
    (results / place).write_bytes(MINE if place.endswith(("csv", "parquet")) else b'{"mine": 1}')
    before = (results / place).read_bytes()
    done = copy_of_finished.run(check=False)
    assert done.returncode
    assert f"{place} is there, and is not known to be made by hypnoflow" in done.stdout
    assert (results / place).read_bytes() == before


def test_cleaning_takes_what_is_ours_and_nothing_else(copy_of_finished):
    results = copy_of_finished.results
    mine = [results / name for name in ("notes.txt", "index/mine.json", "harmonized/shhs/photo.jpg")]
    for path in mine:
        path.write_bytes(MINE)
    elsewhere = copy_of_finished.folder / "elsewhere"
    results.rename(elsewhere)
    results.symlink_to(elsewhere)
    refused = hypnoflow(copy_of_finished, "clean")
    assert refused.returncode == 1
    assert "is a link to" in refused.stderr
    results.unlink()
    elsewhere.rename(results)
    done = hypnoflow(copy_of_finished, "clean")
    assert done.returncode == 0, done.stderr
    assert sorted(p for p in results.rglob("*") if p.is_file()) == sorted(mine)
    assert all(path.read_bytes() == MINE for path in mine)
    assert str(os.fspath(mine[0].relative_to(copy_of_finished.folder))) in done.stderr

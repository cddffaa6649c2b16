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


def change(path, **facts):
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


@pytest.fixture
def thesis(copy_of_finished):
    """A file of the user's beside the results that were handed on."""
    path = copy_of_finished.folder / "home" / "thesis.docx"
    path.parent.mkdir()
    path.write_bytes(MINE)
    return path


def test_names_that_lead_out_of_the_results_are_damage_and_touch_nothing(copy_of_finished, thesis):
    results, size = copy_of_finished.results, {"bytes": 3, "sha256": "0" * 64}
    change(results / "index" / "shhs.json", files={"../../home/thesis.docx": size})
    change(results / "split" / "split.json", files={str(thesis): size})
    change(results / "split" / "drawn.json", files={"/dev/zero": {"bytes": 0, "sha256": "0" * 64}})
    change(results / "evaluate" / "anysleep.json", files=[str(thesis)])
    change(results / "features" / "anysleep.json", files={"anysleep.parquet": "none"})
    change(results / "harmonized" / "shhs" / "000.json", bytes={"../../../home": {"thesis.docx": 3}})
    change(results / "score" / "anysleep" / "shhs" / "000.json", recordings={"../../../../home": "0"})
    (results / "predict" / "anysleep" / "age.json").write_text("[" * 100_000)
    done = hypnoflow(copy_of_finished, "verify", "results")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    named = {line.partition(":")[0] for line in done.stdout.splitlines()}
    expected = ("index/shhs", "split/split", "split/drawn", "evaluate/anysleep", "features/anysleep",
                "harmonized/shhs/000", "score/anysleep/shhs/000", "predict/anysleep/age")  # fmt: skip
    assert named == {f"results/{name}" for name in expected}
    done = hypnoflow(copy_of_finished, "verify", "results", "--set-aside")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    copy_of_finished.run()
    assert hypnoflow(copy_of_finished, "verify", "results").returncode == 0
    assert (results / "report" / "report.html").stat().st_size > 100_000  # made again by that run
    assert thesis.read_bytes() == MINE


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("logs/split/split.log", "home/thesis.docx"),
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


@pytest.mark.parametrize("place", ["index/shhs.parquet", "logs/split/split.log", "simulate/shhs.json", "report/mine"])
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


@pytest.mark.parametrize("place", ["split/split.csv", "index/shhs.json", "predict/anysleep/age.parquet"])
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

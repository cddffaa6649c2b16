"""A study that grows: what is added is worked on, and what was there stays as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from .conftest import SMALL, Workflow


def times(results: Path) -> dict[str, int]:
    """Return when each result of harmonize, train and score was written, ns."""
    found = [path for stage in ("harmonized", "train", "score") for path in (results / stage).rglob("*")]
    kept = (path for path in found if path.suffix in (".json", ".ckpt") and ".zarr" not in str(path))
    return {str(path.relative_to(results)): path.stat().st_mtime_ns for path in kept}


def shards(workflow: Workflow, cohort: str) -> dict[str, set[str]]:
    """Return the recordings of each shard."""
    manifest = pd.read_parquet(workflow.results / "index" / f"{cohort}.parquet")
    return {str(shard): set(rows["recording"]) for shard, rows in manifest.groupby("shard")}


def add_recording(root: Path, like: str, name: str) -> None:
    """Copy all files of a recording, the hidden truth too, under another recording's name."""
    for path in [path for path in root.rglob(f"{like}*") if path.is_file()]:
        shutil.copy(path, path.with_name(path.name.replace(like, name)))


@dataclass
class Grown:
    """A finished workflow to which a recording and a cohort were added, with its training kept."""

    workflow: Workflow
    old_shards: Mapping[str, set[str]]
    old: Mapping[str, int]
    new: Mapping[str, int]

    @property
    def untouched(self) -> set[str]:
        return {name for name, time in self.old.items() if self.new[name] == time}


@pytest.fixture(scope="module")
def grown(finished: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Grown:
    folder = tmp_path_factory.mktemp("grown") / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    workflow = Workflow(folder, yaml.safe_load(yaml.safe_dump(SMALL)))
    science = workflow.config["science"]
    science["train"]["frozen"] = True
    science["cohorts"]["phys"] = {"persons": 4, "night_h": 0.25}
    before, old = shards(workflow, "shhs"), times(workflow.results)
    last = max(name for names in before.values() for name in names)
    add_recording(workflow.results / "simulate" / "shhs", last, f"{last[:-1]}9")
    forced = str((workflow.results / "index" / "shhs.parquet").relative_to(folder))
    workflow.run("--forcerun", forced, "--until", "features")
    return Grown(workflow, before, old, times(workflow.results))


def test_an_added_recording_reruns_the_shards_that_changed_and_no_other(grown):
    after = shards(grown.workflow, "shhs")
    same = {shard for shard, names in after.items() if grown.old_shards.get(shard) == names}
    assert same
    assert set(after) - same
    for folder in ("harmonized/shhs", "score/anysleep/shhs"):
        assert {name for name in grown.untouched if Path(name).parent == Path(folder)} == {
            f"{folder}/{shard}.json" for shard in same
        }
        assert {f"{folder}/{shard}.json" for shard in after} <= set(grown.new)


def test_an_added_cohort_is_scored_by_the_training_that_was_kept_and_no_other_cohort_again(grown):
    assert any(name.startswith("score/anysleep/phys/") for name in grown.new)
    elsewhere = {name for name in grown.old if Path(name).parent.name != "shhs"}
    assert elsewhere <= grown.untouched
    assert any(name.endswith(".ckpt") for name in elsewhere)


def test_nobody_whom_the_kept_training_has_seen_counts_as_unseen(grown):
    results = grown.workflow.results
    split = pd.read_parquet(results / "split" / "anysleep.parquet")
    seen = pd.read_parquet(results / "train" / "anysleep" / "seed1.seen.parquet")
    who = pd.MultiIndex.from_frame(split[["cohort", "person"]])
    known = who.isin(pd.MultiIndex.from_frame(seen[["cohort", "person"]]))
    assert set(split["split"][known]) == {"train", "valid"}
    assert set(split["split"][~known]) <= {"test", "held_out", "unlisted"}
    assert (split["cohort"][~known] == "phys").any()


def test_without_the_option_the_added_data_train_again(grown):
    planned = grown.workflow.planned()
    assert set(planned) == {"agreement", "evaluate", "predict", "report"}
    grown.workflow.config["science"]["train"]["frozen"] = False
    assert grown.workflow.planned()["train"] == 1
    grown.workflow.config["science"]["train"]["frozen"] = True


def test_keeping_a_training_changes_nothing_until_its_own_options_do(copy_of_finished):
    options = copy_of_finished.config["science"]["train"]
    options["frozen"] = True
    assert copy_of_finished.planned() == {"report": 1}  # which shows the config
    options["max_rounds"] = 2
    assert copy_of_finished.planned()["train"] == 1


def test_a_draw_that_fails_costs_no_kept_training(copy_of_finished):
    workflow = copy_of_finished
    science = workflow.config["science"]
    science["train"]["frozen"] = True
    (workflow.folder / "lists.csv").write_text("nothing of use\n")
    science["split"] = {"kind": "table", "file": "lists.csv"}
    done = workflow.run("--until", "draw", check=False)
    assert done.returncode != 0
    assert "must have the columns" in done.stdout
    del science["split"]
    assert "train" not in workflow.planned()


def test_simulated_files_that_change_are_harmonized_again(copy_of_finished):
    """The rows of the manifest stay the same, so that only the files themselves tell."""
    workflow = copy_of_finished
    store = sorted((workflow.results / "harmonized" / "dodh").glob("*.json"))[0]
    before = json.loads(store.read_text())["recordings"]
    workflow.config["science"]["simulate"]["artefacts"] = 3.0
    workflow.run("--", str(store.relative_to(workflow.folder)))
    after = json.loads(store.read_text())["recordings"]
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)

"""Trainings by name: what one needs is planned and no more, and a new one touches nothing of the others."""

from __future__ import annotations

import json

import pandas as pd

SMALL = {"complexity": 0.1, "depth": 6}
MORE = {
    "usleep": {"options": SMALL},
    "ulw": {"network": "ulw-sleepnet", "options": {"channels": ["eeg", "eog"]}},
    "apneas": {
        "network": "ulw-sleepnet",
        "options": {"channels": ["eeg", "eog"]},
        "task": "apnea",
        "train": {"max_rounds": 1},
    },
    "tuned": {"network": "anysleep", "options": SMALL, "base": ["anysleep"], "train": {"learning_rate": 1e-3}},
}


def outputs_planned(workflow, target):
    """Return the trainings and scores that a target plans."""
    lines = workflow.run("-n", "--", target).stdout.splitlines()
    found = " ".join(line for line in lines if line.strip().startswith("output:"))
    return {name for name in ("anysleep", *MORE) for stage in ("train", "score") if f"results/{stage}/{name}/" in found}


def made_at(workflow):
    below = [
        workflow.results / stage
        for stage in ("harmonized", "train", "score", "split", "agreement", "evaluate", "features")
    ]
    return {path: path.stat().st_mtime_ns for top in below for path in top.rglob("*.json") if path.name != "zarr.json"}


def test_networks_are_trained_scored_and_compared_by_name_and_nothing_is_made_again(copy_of_finished):
    workflow, before = copy_of_finished, made_at(copy_of_finished)
    workflow.config["science"]["models"] |= MORE
    # Networks of given channels have no subsets of them: they are left out, and nothing fails.
    workflow.config["science"]["evaluate"] = {"subsets": {"kind": "all", "most_eeg": 2, "draws": 1}}
    assert outputs_planned(workflow, "results/evaluate/usleep.parquet") == {"usleep"}
    assert outputs_planned(workflow, "results/evaluate/tuned.parquet") == {"tuned"}  # its base is there
    workflow.run()
    assert workflow.planned() == {}
    after = made_at(workflow)
    again = {path for path, at in before.items() if after[path] != at}
    # The one option that was changed besides: agreement is also that of subsets.
    assert {path.relative_to(workflow.results).as_posix() for path in again} == {"evaluate/anysleep.json"}
    results = workflow.results
    assert not (results / "subsets" / "usleep").exists()
    assert (results / "subsets" / "tuned").is_dir()
    compared = pd.read_csv(results / "compare" / "stage.csv")
    pairs = compared.loc[compared["scope"] == "all", ["model", "other"]]
    assert {frozenset(pair) for pair in pairs.itertuples(index=False, name=None)} == {
        frozenset(pair) for pair in
        (("anysleep", "usleep"), ("anysleep", "ulw"), ("anysleep", "tuned"), ("usleep", "ulw"), ("usleep", "tuned"),
         ("ulw", "tuned"))
    }  # fmt: skip
    fine, coarse = (pd.read_parquet(results / "features" / f"{name}.parquet") for name in ("usleep", "ulw"))
    assert set(coarse["steps_per_epoch"]) == {1}  # what scores 30 s is never repeated to look finer
    assert set(fine["steps_per_epoch"]) > {1, 16, 128}
    assert sorted(path.name for path in (results / "predict").iterdir()) == ["anysleep", "tuned", "usleep"]
    page = (results / "report" / "report.html").read_text()
    section = page[page.index('id="networks"') :]
    assert all(f"<b>{name}</b>" in section for name in ("anysleep", *MORE))
    said = json.loads((results / "report" / "report.json").read_text())["networks"]
    assert {task: [row["name"] for row in rows] for task, rows in said.items()} == {
        "stage": ["anysleep", "usleep", "ulw", "tuned"],
        "apnea": ["apneas"],
    }
    assert not (results / "features" / "apneas.parquet").exists()  # features are made of stages
    trained = json.loads((results / "train" / "ulw" / "seed1.json").read_text())
    assert (trained["model"], trained["network"], trained["parameters"]) == ("ulw", "ulw-sleepnet", 9241)
    base = json.loads((results / "train" / "tuned" / "seed1.json").read_text())
    assert base["provenance"]["command"][base["provenance"]["command"].index("--model") + 1] == "tuned"


def test_an_old_config_is_refused_with_what_to_write_instead(finished):
    finished.config["science"]["train"] = {**finished.config["science"]["train"], "model": "usleep", "seeds": [1, 2]}
    done = finished.run("-n", check=False)
    assert done.returncode == 1
    assert "usleep: {seeds: [1, 2]}" in done.stdout
    assert "Traceback" not in done.stdout

"""A cohort that only the config names goes through the workflow, and reruns when its section changes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from edfio import Edf, EdfAnnotation, EdfSignal

from hypnoflow.cohorts import cohorts
from tests.workflow.conftest import make_workflow

TARGET = "results/harmonized/mylab/000.json"
RATE_HZ = 64


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """A workflow whose only cohort is a folder of two recordings, harmonized once."""
    workflow = make_workflow(tmp_path_factory.mktemp("workflow"))
    lab = workflow.folder / "lab"
    lab.mkdir()
    rng = np.random.default_rng(3)
    for name in ("a", "b"):
        signals = [
            EdfSignal(rng.normal(0, 40, 120 * RATE_HZ), RATE_HZ, label=label, physical_dimension="uV")
            for label in ("EEG C3", "EEG C4", "EEG M1", "EEG M2")
        ]
        marks = [EdfAnnotation(0, 120, "Sleep stage N2")]
        Edf(signals, annotations=marks).write(lab / f"{name}.edf")
    workflow.config["science"]["cohorts"] = {
        "mylab": {"kind": "folder", "root": str(lab)},
        **dict.fromkeys(cohorts.names()),
    }
    workflow.run("--nocolor", TARGET)
    return workflow


def planned(workflow):
    lines = workflow.run("-n", TARGET).stdout.splitlines()
    if "Job stats:" not in lines:
        return set()
    table = lines[lines.index("Job stats:") + 3 :]
    return {line.split()[0] for line in table[: table.index("")]} - {"total"}


def channels(workflow):
    store = workflow.folder / TARGET.replace(".json", ".zarr")
    return json.loads((store / "a" / "eeg" / "zarr.json").read_text())["attributes"]["source"]


def test_a_folder_is_indexed_and_harmonized_and_then_nothing_is_left_to_do(workflow):
    assert sorted(json.loads((workflow.folder / TARGET).read_text())["recordings"]) == ["a", "b"]
    assert channels(workflow) == ["EEG C3 - EEG M2", "EEG C4 - EEG M1"]
    assert planned(workflow) == set()


def test_another_choice_of_channels_reruns_both_and_being_held_out_reruns_neither(workflow):
    section = workflow.config["science"]["cohorts"]["mylab"]
    section["held_out"] = True
    assert planned(workflow) == set()
    section["channels"] = ["C3"]
    assert "index" in planned(workflow)  # which says whether there is more to do
    workflow.run("--nocolor", TARGET)
    assert channels(workflow) == ["EEG C3 - EEG M2"]

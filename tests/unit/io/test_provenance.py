"""What is noted of a job is what a reader needs to run it again."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from hypnoflow.cli import app
from hypnoflow.io import provenance as module
from hypnoflow.io.provenance import MODULES, PACKAGE, code_hash, provenance


def test_a_stages_job_is_on_record(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/venv/bin/hypnoflow", "score", "a b.edf", "--threads", "2"])
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    made = provenance("score")
    assert made["command"] == ["hypnoflow", "score", "a b.edf", "--threads", "2"]
    assert made["slurm_job_id"] == "17"
    assert made["code"] == code_hash("score")
    assert made["seconds"] > 0
    assert made["started"].endswith("+00:00")


def test_another_programs_arguments_are_nobodys_business(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/jupyter", "--token=secret"])
    assert provenance("score")["command"] == []


@pytest.mark.parametrize("stage", list(MODULES))
def test_every_module_of_a_stage_is_there(stage):
    assert all((PACKAGE / name).exists() for name in MODULES[stage])


def test_an_edit_changes_the_stages_that_hold_it_and_no_other(tmp_path, monkeypatch):
    for name in {name for names in MODULES.values() for name in names} | set(module.BASE):
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if "." in name:
            place.write_text("1")
        else:
            place.mkdir(exist_ok=True)
            (place / "code.py").write_text("1")
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    before = {stage: code_hash.__wrapped__(stage) for stage in MODULES}
    (tmp_path / "evaluate" / "paired.py").write_text("2")
    changed = {stage for stage in MODULES if code_hash.__wrapped__(stage) != before[stage]}
    assert changed == {"evaluate", "predict"}


def test_verify_names_a_folder_without_results(tmp_path):
    done = CliRunner().invoke(app, ["verify", str(tmp_path)])
    assert done.exit_code != 0
    assert "holds no results" in str(done.exception)

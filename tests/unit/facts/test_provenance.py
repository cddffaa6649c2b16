"""What is noted of a job is what a reader needs to run it again."""

from __future__ import annotations

import sys

from typer.testing import CliRunner

from hypnoflow.cli import app
from hypnoflow.facts.code import code_of
from hypnoflow.facts.provenance import provenance


def test_a_stages_job_is_on_record(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/venv/bin/hypnoflow", "score", "a b.edf", "--threads", "2"])
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    made = provenance("score")
    assert made["command"] == ["hypnoflow", "score", "a b.edf", "--threads", "2"]
    assert made["slurm_job_id"] == "17"
    assert made["code"] == code_of("score")
    assert made["seconds"] > 0
    assert made["started"].endswith("+00:00")


def test_another_programs_arguments_are_nobodys_business(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/jupyter", "--token=secret"])
    assert provenance("score")["command"] == []


def test_verify_names_a_folder_without_results(tmp_path):
    done = CliRunner().invoke(app, ["verify", str(tmp_path)])
    assert done.exit_code != 0
    assert "holds no results" in str(done.exception)

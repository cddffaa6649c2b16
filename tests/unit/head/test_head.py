"""There is one head per folder, and a dead one never stands in the way."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hypnoflow.cli import app
from hypnoflow.errors import WorkflowError
from hypnoflow.facts.provenance import write_facts
from hypnoflow.head.head import NAME, Head

HOLD = """
import sys
from pathlib import Path
from hypnoflow.head.head import Head
head = Head.take(Path(sys.argv[1]), "local")
head.claim_results(Path(sys.argv[3]))
head.has_jobs()
print("held", flush=True)
sys.stdin.readline()
head.ended(sys.argv[2])
"""


def holder(folder, end="success", results=None):
    """Start another process that is the head of `folder` until it gets a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), end, str(results or folder / "results")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def let_go(head):
    """Do to the locks of a head in this process what its death would."""
    for claim in head._claims:
        claim.file.close()


def test_while_one_is_alive_another_is_refused_and_told_who_it_is(tmp_path):
    process = holder(tmp_path)
    with pytest.raises(WorkflowError, match=rf"another run works in .*: process {process.pid} on "):
        Head.take(tmp_path, "local")
    process.communicate("go\n")
    assert Head.take(tmp_path, "local").before.end == "success"


def test_a_killed_one_leaves_no_lock_but_what_it_was(tmp_path):
    process = holder(tmp_path)
    process.kill()
    process.communicate()
    before = Head.take(tmp_path, "slurm").before
    assert (before.pid, before.executor, before.end) == (process.pid, "local", "")


def test_a_failed_run_is_told_from_a_good_one(tmp_path):
    holder(tmp_path, "failure").communicate("go\n")
    assert Head.take(tmp_path, "local").before.end == "failure"


def test_the_first_has_nobody_before_it_and_a_torn_record_counts_as_a_killed_one(tmp_path):
    assert Head.take(tmp_path / ".", "local").before is None
    other = tmp_path / "torn"
    (other / ".snakemake").mkdir(parents=True)
    (other / ".snakemake" / NAME).write_text('{"host": "here", "pi')
    assert Head.take(other, "local").before.end == ""  # something was here, and ended badly


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / ".snakemake").write_text("a file where a folder belongs")
    with pytest.raises(WorkflowError, match=r"cannot write .*hypnoflow\.head"):
        Head.take(tmp_path, "local")


def test_without_locks_nobody_is_sure_to_be_alone(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    assert Head.take(tmp_path, "local").sure
    monkeypatch.setattr(fcntl, "lockf", no_locks)
    assert not Head.take(tmp_path, "local").sure


def test_a_killed_run_on_slurm_is_remembered_until_it_is_cleaned_up_after(tmp_path):
    """Whoever starts in between, and is refused by a cluster that does not answer, must not make it forgotten."""
    slurm = Head.take(tmp_path, "slurm")
    slurm.has_jobs()
    let_go(slurm)
    refused = Head.take(tmp_path, "local")
    let_go(refused)
    third = Head.take(tmp_path, "local")
    assert (third.before.executor, third.before.end) == ("slurm", "")
    third.cleaned_up()
    let_go(third)
    fourth = Head.take(tmp_path, "local").before
    assert (fourth.executor, fourth.end) == ("slurm", "failure")  # what is missing is still to be made


@pytest.fixture
def folders(tmp_path):
    """Two working folders; their results are one."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b", tmp_path / "results"


def test_two_folders_with_one_folder_of_results_have_one_head_at_a_time(folders):
    a, b, results = folders
    process = holder(a, results=results)
    other = Head.take(b, "local")  # in its own folder it is alone
    with pytest.raises(WorkflowError, match=rf"another run works in .*results: process {process.pid} on "):
        other.claim_results(results)
    process.communicate("go\n")
    other.claim_results(results)
    other.has_jobs()
    other.ended("success")
    let_go(other)
    holder(a, results=results).communicate("go\n")


def test_a_start_that_comes_to_no_job_changes_nothing(folders):
    """Nothing to be done, a mistyped target, a refusal: Snakemake says nothing of its end."""
    a, b, results = folders
    holder(a, results=results).communicate("go\n")
    for folder in (b, a, b):
        idle = Head.take(folder, "local")
        idle.claim_results(results)
        let_go(idle)
    again = Head.take(a, "local")
    assert again.before.end == "success"
    again.claim_results(results)
    let_go(again)


def test_a_torn_record_of_the_results_is_the_torn_folders_business(folders):
    a, b, results = folders
    process = holder(a, results=results)
    process.kill()
    process.communicate()
    (results / f".{NAME}").write_bytes(b"\xff\0\0\0")
    other = Head.take(b, "local")
    with pytest.raises(WorkflowError, match=r"a folder that is no longer known .* delete .*hypnoflow\.head"):
        other.claim_results(results)
    let_go(other)
    holder(a, results=results).communicate("go\n")


def test_jobs_of_a_head_that_was_killed_elsewhere_may_still_write_and_are_ended_there_first(folders):
    a, b, results = folders
    process = holder(a, results=results)
    process.kill()
    process.communicate()
    other = Head.take(b, "local")
    with pytest.raises(WorkflowError, match=rf"started in {a} and ended without cleaning up .*process {process.pid}"):
        other.claim_results(results)
    let_go(other)
    holder(a, results=results).communicate("go\n")  # its own folder cleans up, and then
    third = Head.take(b, "local")
    third.claim_results(results)
    let_go(third)


def test_what_is_damaged_is_not_set_aside_under_a_run(folders):
    a, _, results = folders
    sibling = results / "predict" / "m" / "age.json"
    write_facts(sibling, "predict", {})
    sibling.write_text(sibling.read_text()[:-9])  # torn
    process = holder(a, results=results)
    refused = CliRunner().invoke(app, ["verify", str(results), "--set-aside"])
    assert "another run works in" in str(refused.exception)
    assert CliRunner().invoke(app, ["verify", str(results)]).exit_code == 1  # looking is allowed
    assert sibling.exists()
    process.kill()
    process.communicate()
    refused = CliRunner().invoke(app, ["verify", str(results), "--set-aside"])
    assert "a run may be writing to" in str(refused.exception)  # one that it left
    assert sibling.exists()
    holder(a, results=results).communicate("go\n")
    assert CliRunner().invoke(app, ["verify", str(results), "--set-aside"]).exit_code == 1
    assert not sibling.exists()
    holder(a, results=results).communicate("go\n")  # who looked is in nobody's way

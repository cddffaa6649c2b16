"""There is one head per folder, and a dead one never stands in the way."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys

import pytest

from hypnoflow.errors import WorkflowError
from hypnoflow.workflow.head import NAME, Head

HOLD = """
import sys
from pathlib import Path
from hypnoflow.workflow.head import Head
head = Head.take(Path(sys.argv[1]), "local")
print("held", flush=True)
sys.stdin.readline()
head.ended(sys.argv[2])
"""


def holder(folder, end="success"):
    """Start another process that is the head of `folder` until it gets a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), end], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_while_one_is_alive_another_is_refused_and_told_who_it_is(tmp_path):
    process = holder(tmp_path)
    with pytest.raises(WorkflowError, match=rf"another run works in .*: process {process.pid} on "):
        Head.take(tmp_path, "local")
    process.communicate("go\n")
    assert Head.take(tmp_path, "local").before.end == "success"


def test_a_killed_one_leaves_no_lock_but_what_it_was(tmp_path):
    process = holder(tmp_path)
    process.kill()
    process.wait()
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
    slurm._file.close()
    refused = Head.take(tmp_path, "local")
    refused._file.close()
    third = Head.take(tmp_path, "local")
    assert third.before.executors == {"local", "slurm"}
    third.cleaned_up()
    third._file.close()
    assert Head.take(tmp_path, "local").before.executors == {"local"}

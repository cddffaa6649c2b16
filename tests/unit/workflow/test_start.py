"""A run starts in the folder that its jobs are found by."""

from __future__ import annotations

import pytest

from hypnoflow.config import Config
from hypnoflow.errors import WorkflowError
from hypnoflow.workflow.start import start


def test_another_folder_than_the_one_it_was_started_in_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkflowError, match="without --directory"):
        start(["--cores", "1"], tmp_path.parent, Config(), {}, print)
    assert list(tmp_path.iterdir()) == []


def test_looking_takes_no_lock_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert start(["--cores", "1", "-n"], tmp_path, Config(), {}, print) is None
    assert list(tmp_path.iterdir()) == []

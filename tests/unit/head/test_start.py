"""A run starts in the folder that its jobs are found by."""

from __future__ import annotations

import json

import pytest

from hypnoflow.config.schema import Config
from hypnoflow.errors import WorkflowError
from hypnoflow.facts.provenance import write_facts
from hypnoflow.head.lost import Plan, metadata_path
from hypnoflow.head.start import start


def test_another_folder_than_the_one_it_was_started_in_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkflowError, match="without --directory"):
        start(["--cores", "1"], tmp_path.parent, Config(), {}, print)
    assert list(tmp_path.iterdir()) == []


def test_looking_takes_no_lock_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert start(["--cores", "1", "-n"], tmp_path, Config(), {}, print) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("frozen", [True, False])
def test_a_damaged_training_that_is_to_be_kept_is_named_and_left(tmp_path, monkeypatch, frozen):
    monkeypatch.chdir(tmp_path)
    sibling = tmp_path / "results" / "train" / "m" / "seed1.json"
    checkpoint = sibling.with_suffix(".ckpt")
    sibling.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    write_facts(sibling, "train", {}, [checkpoint])
    checkpoint.write_bytes(b"weight")
    plan = Plan("results/train/{model}/seed{seed}.json", lambda _: "{}", lambda _: "")
    record = metadata_path(next(plan.outputs())[0], tmp_path / ".snakemake")
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"code": "x"}))
    config = Config(science={"train": {"frozen": frozen}})
    said = []
    if frozen:
        with pytest.raises(WorkflowError, match=r"seed1\.ckpt has 6 bytes.*bring the file back from a copy"):
            start(["--cores", "1"], tmp_path, config, {"train": plan}, said.append)
        assert checkpoint.exists()
        assert sibling.exists()
    else:
        start(["--cores", "1"], tmp_path, config, {"train": plan}, said.append)
        assert "seed1.ckpt has 6 bytes, written were 7 bytes" in said[-1]
        assert not checkpoint.exists()
        assert not sibling.exists()

"""Training that is killed, asked to stop, or started with something else: what it does when it is run again."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
import torch
from tests.tiny_training import RUN, changed, command, options, start, train, write_harmonized

from hypnoflow.checkpoints.checkpoint import load_checkpoint
from hypnoflow.errors import RecordingError
from hypnoflow.facts.claim import journal_of
from hypnoflow.train.data import load_training_set
from hypnoflow.train.entry import Entry
from hypnoflow.train.state import ResumeFile

TRAIN = options(updates_per_round=15, max_rounds=4, accumulate=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data")
    write_harmonized(path)
    return path


def run_here(folder: Path, out: Path, entry: Entry = TRAIN, **run: object) -> Path:
    """Train in this process, with what the command line would give."""
    data = load_training_set(folder / "split.parquet", folder / "harmonized", entry)
    train(data, entry, RUN.model_copy(update=run), seed=3, run_seed=1, out=out)
    return out


@pytest.fixture(scope="module")
def uninterrupted(folder) -> Path:
    return run_here(folder, folder / "whole" / "net.ckpt")


def updates_done(resume: Path) -> int:
    return torch.load(resume, weights_only=True)["progress"]["update"] if resume.is_file() else 0


def run_until(words: list[str], resume: Path, update: int, number: signal.Signals) -> tuple[int, str]:
    """Start a training, send it a signal once that many updates are on disk; return exit code and messages."""
    process = start(words)
    while process.poll() is None and updates_done(resume) < update:
        time.sleep(0.02)
    process.send_signal(number)
    return process.wait(), process.stderr.read()


def same_result(one: Path, two: Path) -> bool:
    weights, others = (load_checkpoint(path).model.state_dict() for path in (one, two))
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert one.with_suffix(".csv").read_bytes() == two.with_suffix(".csv").read_bytes()
    facts, other = (json.loads(path.with_suffix(".json").read_text()) for path in (one, two))
    unlike = {"files": {}, "provenance": {}}  # bytes of the files, and when and how they were made
    return {**facts, **unlike} == {**other, **unlike}


def test_killed_and_run_again_equals_uninterrupted_bit_for_bit(folder, uninterrupted, tmp_path, caplog):
    """On one machine with as many threads, where it is promised: what comes before the kill is another process."""
    out, resume = tmp_path / "net.ckpt", tmp_path / "net.ckpt.resume"
    words = command(folder, out, TRAIN, checkpoint_every_min=0)
    code, _ = run_until(words, resume, 20, signal.SIGKILL)  # amid the second round, of 15 updates
    assert code == -signal.SIGKILL
    assert 20 <= updates_done(resume) < 60
    assert not out.exists()
    out.with_suffix(".csv").unlink()  # as Snakemake does with the outputs of a failed job
    with caplog.at_level("INFO"):
        run_here(folder, out)
    assert "going on after update" in caplog.text
    assert same_result(out, uninterrupted)
    assert not resume.exists()


def test_sigterm_saves_and_exits_with_one_message_and_worker_processes_take_over(folder, uninterrupted, tmp_path):
    out, resume = tmp_path / "net.ckpt", tmp_path / "net.ckpt.resume"
    code, said = run_until(command(folder, out, TRAIN), resume, 15, signal.SIGTERM)  # saved once per round
    assert code == 1
    (message,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "asked to stop (SIGTERM) after update" in message
    assert "Traceback" not in said
    assert f"after update {updates_done(resume)};" in message
    run_here(folder, out, workers=2)
    assert same_result(out, uninterrupted)


def test_state_of_another_recipe_or_torn_is_not_gone_on_from_and_that_is_said(
    folder, uninterrupted, tmp_path, caplog, monkeypatch
):
    out, resume = tmp_path / "net.ckpt", tmp_path / "net.ckpt.resume"
    monkeypatch.setattr(ResumeFile, "remove", lambda _: None)
    run_here(folder, out, changed(TRAIN, learning_rate=2e-2, max_rounds=1))
    assert updates_done(resume) == 15
    run_here(folder, out)
    assert "starting anew" in caplog.text
    assert "with other options" in caplog.text
    assert same_result(out, uninterrupted)
    resume.write_bytes(b"torn")  # by a machine that died while it trained, which is noted
    note = journal_of(out.with_suffix(".json"))
    note.write_text(json.dumps(json.loads(note.read_text()) | {"making": [resume.name], "kept": {}}))
    run_here(folder, out)
    assert "cannot be read" in caplog.text
    assert same_result(out, uninterrupted)


def test_other_labels_are_other_data(folder):
    data = load_training_set(folder / "split.parquet", folder / "harmonized", TRAIN)
    before = data.fingerprint()
    assert load_training_set(folder / "split.parquet", folder / "harmonized", TRAIN).fingerprint() == before
    data.train[0].labels[3] = 4 - data.train[0].labels[3]
    assert data.fingerprint() != before


def test_labels_that_the_store_lacks_are_an_error_that_says_what_to_set(folder):
    with pytest.raises(RecordingError, match="labels are 30 s long, wanted 5") as caught:
        load_training_set(folder / "split.parquet", folder / "harmonized", changed(TRAIN, label_s=5.0))
    assert "harmonize.label_s" in caught.value.hint

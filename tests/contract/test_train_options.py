"""Training on several processes, in parts, in bfloat16, compiled, from other weights and on finer labels."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.numerics import UNIT, programs_in_double, training_in_double
from tests.tiny_training import NETWORK, RUN, changed, command, options, train, write_harmonized
from torch import nn

from hypnoflow.checkpoints.checkpoint import load_checkpoint
from hypnoflow.config.run_options import Run
from hypnoflow.errors import CheckpointError, ConfigError
from hypnoflow.train.data import load_training_set
from hypnoflow.train.entry import Entry

TRAIN = options(updates_per_round=4, max_rounds=3, learning_rate=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data")
    write_harmonized(path)
    return path


@pytest.fixture(scope="module")
def fine_folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("fine")
    write_harmonized(path, label_s=5.0)
    return path


def fit(folder: Path, out: Path, options: Entry = TRAIN, run: Run = RUN) -> pd.DataFrame:
    data = load_training_set(folder / "split.parquet", folder / "harmonized", options)
    train(data, options, run, seed=3, run_seed=1, out=out)
    return pd.read_csv(out.with_suffix(".csv"))


@pytest.fixture(scope="module")
def alone(folder) -> pd.DataFrame:
    return fit(folder, folder / "alone" / "net.ckpt")


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).model.state_dict()


def test_two_processes_take_the_course_of_one(folder, tmp_path):
    """In double precision: Adam divides a gradient that is nothing but rounding by its own size."""
    with training_in_double():
        alone = fit(folder, tmp_path / "alone.ckpt")
    out, env = tmp_path / "net.ckpt", programs_in_double(tmp_path)
    done = subprocess.run(command(folder, out, TRAIN, devices=2), check=True, capture_output=True, text=True, env=env)
    found = pd.read_csv(out.with_suffix(".csv"))
    assert found["train_loss"].to_numpy() == pytest.approx(alone["train_loss"].to_numpy(), rel=1e-9)
    assert found["valid_macro_f1"].to_numpy() == pytest.approx(alone["valid_macro_f1"].to_numpy(), abs=1e-9)
    assert done.stderr.count("round 1:") == 1
    one, two = (torch.load(path, weights_only=True)["state_dict"] for path in (tmp_path / "alone.ckpt", out))
    assert {value.dtype for value in two.values()} == {torch.float64, torch.int64}
    assert all(torch.allclose(one[name], two[name], rtol=0, atol=1e-9) for name in one)


def test_batch_that_does_not_divide_is_refused(folder, tmp_path):
    with pytest.raises(ConfigError, match="batch_size 4 does not divide into 1 parts on 3 devices"):
        fit(folder, tmp_path / "net.ckpt", run=RUN.model_copy(update={"devices": 3}))


def test_parts_of_a_batch_give_the_gradient_of_the_whole_where_no_batch_norm_sees_the_parts(
    folder, tmp_path, monkeypatch
):
    class Frozen(nn.BatchNorm1d):
        def forward(self, x):
            return x

    monkeypatch.setattr(nn, "BatchNorm1d", Frozen)
    with training_in_double():
        whole = fit(folder, tmp_path / "whole.ckpt")
        parts = fit(folder, tmp_path / "parts.ckpt", changed(TRAIN, accumulate=4))
    assert parts["train_loss"].to_numpy() == pytest.approx(whole["train_loss"].to_numpy(), rel=1e-9)


def test_bfloat16_trains_keeps_weights_in_float32_and_is_another_result(folder, alone, tmp_path):
    found = fit(folder, tmp_path / "net.ckpt", changed(TRAIN, precision="bf16-mixed"))
    unit = 2.0**-9  # by which one rounding to bfloat16 moves a number at most, as a share of it
    assert found["train_loss"].to_numpy() == pytest.approx(alone["train_loss"].to_numpy(), rel=16 * unit)
    assert not found["train_loss"].equals(alone["train_loss"])
    assert {value.dtype for value in weights(tmp_path / "net.ckpt").values()} == {torch.float32, torch.int64}


def test_tensorboard_holds_the_curve_of_the_csv(alone, folder):
    from tensorboardX.proto.event_pb2 import Event

    (file,) = (folder / "alone" / "net.tensorboard").glob("events.*")
    content, at, found = file.read_bytes(), 0, []
    while at < len(content):  # records: length (8 bytes), checksum (4), event, checksum (4)
        n = int.from_bytes(content[at : at + 8], "little")
        event = Event.FromString(content[at + 12 : at + 12 + n])
        found += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
        at += 16 + n
    for name in ("train_loss", "valid_macro_f1"):
        curve = {step: value for tag, step, value in found if tag == name}
        assert list(curve) == alone["update"].tolist() == [4, 8, 12]
        assert list(curve.values()) == pytest.approx(alone[name].tolist(), rel=2 * UNIT)  # rounded once


def test_fine_tuning_starts_from_the_given_weights(folder, tmp_path):
    given = folder / "alone" / "net.ckpt"
    still = changed(TRAIN, base=(str(given),), learning_rate=1e-12, max_rounds=1)
    fit(folder, tmp_path / "net.ckpt", still)
    one, two = weights(given), weights(tmp_path / "net.ckpt")
    assert all(
        torch.allclose(one[n], two[n], rtol=2 * UNIT, atol=1e-10)
        for n in one
        if "running" not in n and "tracked" not in n
    )


def test_weights_of_another_size_are_no_start(folder, tmp_path):
    other = changed(TRAIN, base=(str(folder / "alone" / "net.ckpt"),), network=NETWORK.model_copy(update={"depth": 5}))
    with pytest.raises(CheckpointError, match=r"depth=5.* of its own kind and size; found .*depth=6"):
        fit(folder, tmp_path / "net.ckpt", other)


def test_labels_of_5_s_are_learnt_and_validated_at_5_s(fine_folder, tmp_path):
    """The stage changes every 5 s: learnt from 30-s labels, 5-s stages stay at chance."""
    network = NETWORK.model_copy(update={"complexity": 0.5, "depth": 4})
    small = {"network": network, "window_epochs": 8, "updates_per_round": 50, "max_rounds": 2}
    found = fit(fine_folder, tmp_path / "fine.ckpt", options(label_s=5.0, label_steps=1, **small))
    assert found["valid_macro_f1"].max() > 0.6
    more = options(label_s=5.0, label_steps=2, **small | {"max_rounds": 1})
    more = changed(more, base=(str(tmp_path / "fine.ckpt"),))
    tuned = fit(fine_folder, tmp_path / "tuned.ckpt", more)
    assert tuned["train_loss"][0] < found["train_loss"][0]

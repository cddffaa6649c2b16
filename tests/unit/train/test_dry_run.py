"""What `hypnoflow train --dry-run` says, against counts by hand and a measured pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tiny_training import RUN, options, write_harmonized
from torch import nn

from hypnoflow.models import build_model
from hypnoflow.models.contract import Batch, Trainable, summed_cross_entropy
from hypnoflow.models.parts.size import UNetSize
from hypnoflow.train.data import TrainingSet, load_training_set
from hypnoflow.train.dry_run import describe, saved_bytes
from hypnoflow.train.training import How, Training


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> TrainingSet:
    folder = tmp_path_factory.mktemp("data")
    write_harmonized(folder)
    return load_training_set(folder / "split.parquet", folder / "harmonized", options())


def test_sizes_steps_and_parameters_are_those_of_the_configuration(data):
    published = UNetSize(depth=12, first_filters=5, complexity=1.67, attention_hidden=40)
    train = options(network=published, batch_size=64, accumulate=2, updates_per_round=447, window_epochs=35)
    said = describe(Training(data, train, How(RUN.model_copy(update={"devices": 2}), 1, 1)))
    assert "3157856 parameters" in said
    assert "with gradients and optimiser 63 MB" in said  # 5 x 4 bytes each
    assert "updates: at most 894 = 2 rounds of 447" in said
    assert "64 windows of 17.5 min, in 2 parts of 32 on 2 devices" in said
    assert "activations of 16 windows x  2 channels" in said
    lines = [line.split() for line in said.splitlines() if line.startswith("c ")]
    assert lines == [["c", "train", "2", "2", "0.3", "100.0%"], ["c", "valid", "2", "2", "0.3"]]  # 20 epochs each


class OneLayer(Trainable):
    """Keeps its input and the output of the exponential: two tensors of the input's size."""

    def __init__(self) -> None:
        super().__init__(UNetSize(), 5)
        self.weight = nn.Parameter(torch.ones(()))

    def loss(self, batch: Batch) -> torch.Tensor:
        y = (batch.x * self.weight).exp()
        steps = batch.labels.shape[1] * batch.steps_per_epoch
        return summed_cross_entropy(y.mean() + torch.zeros(len(batch.x), steps, 5), batch.labels)


def test_bytes_kept_for_the_backward_pass_by_hand():
    windows, channels, epochs = 3, 2, 4
    size = 4 * windows * channels * epochs * 3840
    small = 4 * windows * epochs * 5 + 8 * windows * epochs + 4 * windows * epochs * 5  # logits, labels, losses
    kept = saved_bytes(OneLayer(), windows, channels, epochs, 1)
    assert 2 * size <= kept <= 2 * size + small + 64


def test_shapes_alone_give_the_bytes_of_a_real_pass():
    size = {"depth": 6, "complexity": 0.5}
    real = saved_bytes(build_model("anysleep", **size), 2, 3, 4, 8)
    with torch.device("meta"):
        model = build_model("anysleep", **size)
    assert saved_bytes(model, 2, 3, 4, 8) == pytest.approx(real, rel=0.02)
    assert saved_bytes(model, 4, 3, 4, 8) == pytest.approx(2 * real, rel=0.02)
    n = 4 * 2 * 3 * 4 * 3840
    assert real > n * np.sum([5, 7, 9]) / 4  # more than the first blocks' own outputs, at full, half and quarter rate

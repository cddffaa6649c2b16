"""Loss and score of training, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, log_loss

from hypnoflow.config.train import Train
from hypnoflow.models.contract import summed_cross_entropy
from hypnoflow.train.objective import macro_f1, optimiser_and_schedule


def batch(seed: int, unscored: float) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    stage = rng.integers(0, 5, (4, 30))
    stage[rng.random(stage.shape) < unscored] = 9
    return torch.from_numpy(3 * rng.standard_normal((4, 30, 5))), torch.from_numpy(stage)


def masked_cross_entropy(logits: torch.Tensor, stage: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch that came in one part."""
    return summed_cross_entropy(logits, stage) / (stage != 9).sum().clamp(min=1)


@pytest.mark.parametrize("unscored", [0.0, 0.4])
def test_loss_is_sklearns_log_loss_over_scored_epochs(unscored):
    logits, stage = batch(1, unscored)
    scored = (stage != 9).flatten().numpy()
    p = logits.softmax(-1).flatten(0, 1).numpy()[scored]
    wanted = log_loss(stage.flatten().numpy()[scored], p, labels=range(5))
    assert float(masked_cross_entropy(logits, stage)) == pytest.approx(wanted, rel=1e-9)


def test_loss_of_one_epoch_by_hand():
    logits = torch.log(torch.tensor([[[0.5, 0.2, 0.1, 0.1, 0.1], [0.2, 0.2, 0.2, 0.2, 0.2]]]))
    assert float(masked_cross_entropy(logits, torch.tensor([[1, 9]]))) == pytest.approx(-np.log(0.2), rel=1e-6)
    assert float(masked_cross_entropy(logits, torch.tensor([[0, 4]]))) == pytest.approx(
        -(np.log(0.5) + np.log(0.2)) / 2, rel=1e-6
    )


def test_unscored_epochs_send_no_gradient():
    logits, stage = batch(1, 0.4)
    logits.requires_grad_()
    masked_cross_entropy(logits, stage).backward()
    assert logits.grad is not None
    assert not logits.grad[stage == 9].any()
    assert (logits.grad[stage != 9].abs().sum(-1) > 0).all()


def test_loss_is_zero_and_finite_where_nothing_is_scored():
    logits, stage = batch(1, 1.0)
    logits.requires_grad_()
    loss = masked_cross_entropy(logits, stage)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.sets(st.integers(0, 4), min_size=1))
def test_macro_f1_is_sklearns_over_the_stages_that_occur(seed, n, stages):
    rng = np.random.default_rng(seed)
    truth, predicted = (rng.choice(sorted(stages), n) for _ in range(2))
    counts = torch.from_numpy(confusion_matrix(truth, predicted, labels=range(5)))
    occurring = sorted({*truth.tolist(), *predicted.tolist()})
    wanted = f1_score(truth, predicted, labels=occurring, average="macro", zero_division=0)
    assert float(macro_f1(counts)) == pytest.approx(wanted, abs=1e-6)


def test_parts_of_a_batch_add_up_to_the_loss_of_the_whole_not_to_a_mean_of_means():
    logits, stage = batch(1, 0.4)
    stage[0] = 9  # so that the first half has fewer scored labels
    whole = masked_cross_entropy(logits, stage)
    n = (stage != 9).sum()
    parts = [summed_cross_entropy(logits[i : i + 2], stage[i : i + 2]) / n for i in (0, 2)]
    assert float(sum(parts)) == pytest.approx(float(whole), rel=1e-12)
    means = [masked_cross_entropy(logits[i : i + 2], stage[i : i + 2]) for i in (0, 2)]
    assert float(sum(means)) / 2 != pytest.approx(float(whole), rel=1e-3)


def test_each_fine_step_is_compared_with_the_label_it_lies_in():
    answers = torch.tensor([0, 0, 0, 2, 2, 2, 2, 2])  # two labels of four steps; the last quarter of the first is N2
    logits = 5.0 * torch.nn.functional.one_hot(answers, 5)[None].double()
    right, wrong = -np.log(np.exp(5) / (np.exp(5) + 4)), -np.log(1 / (np.exp(5) + 4))
    loss = masked_cross_entropy(logits, torch.tensor([[0, 2]])).item()
    assert loss == pytest.approx((7 * right + wrong) / 8, rel=1e-9)


def test_optimiser_is_amsgrad_adam_with_the_configs_rate_and_schedule():
    model = torch.nn.Linear(1, 1)
    adam, constant = optimiser_and_schedule(model, Train(schedule="constant", learning_rate=1e-5))
    assert isinstance(adam, torch.optim.Adam)
    assert adam.defaults["amsgrad"]
    assert adam.defaults["betas"] == (0.9, 0.999)
    assert adam.defaults["weight_decay"] == 0
    adam.step()
    constant.step()
    assert adam.param_groups[0]["lr"] == 1e-5
    adam, cosine = optimiser_and_schedule(model, Train(max_rounds=2, updates_per_round=5, learning_rate=1e-2))
    for update in range(1, 11):
        adam.step()
        cosine.step()
        assert adam.param_groups[0]["lr"] == pytest.approx(5e-3 * (1 + np.cos(np.pi * update / 10)), abs=1e-9)

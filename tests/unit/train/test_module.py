"""Loss and score of training, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, log_loss

from hypnoflow.config import Network, Train
from hypnoflow.models._base import StagingModel
from hypnoflow.train.module import StagingModule, macro_f1, masked_cross_entropy


def batch(seed: int, unscored: float) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    stage = rng.integers(0, 5, (4, 30))
    stage[rng.random(stage.shape) < unscored] = 9
    return torch.from_numpy(3 * rng.standard_normal((4, 30, 5))), torch.from_numpy(stage)


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


class Answers(StagingModel):
    """A network that answers by the first sample of each step: that value is the stage, with the logit 5."""

    def __init__(self) -> None:
        super().__init__(Network())
        self.scale = torch.nn.Parameter(torch.tensor(5.0))

    def multi(self, x, steps_per_epoch):
        return {f: self.scale * torch.nn.functional.one_hot(x[:, 0, :: 3840 // f].long(), 5) for f in steps_per_epoch}


def signal(stages: list[int], steps_per_epoch: int = 1) -> torch.Tensor:
    return torch.tensor(stages, dtype=torch.float32).repeat_interleave(3840 // steps_per_epoch)[None, None]


def module_of(**options) -> StagingModule:
    module = StagingModule(Answers(), Train(**options))
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.update({name: float(torch.as_tensor(value).detach())})  # type: ignore[method-assign]
    module.logged = logged
    return module


def test_training_step_compares_each_fine_step_with_the_epochs_label():
    module = module_of(label_steps=4)
    x = signal([0, 0, 0, 2, 2, 2, 2, 2], 4)  # two epochs, the last quarter of the first is N2
    loss = module.training_step((x, torch.tensor([[0, 2]])), 0).item()
    right, wrong = -np.log(np.exp(5) / (np.exp(5) + 4)), -np.log(1 / (np.exp(5) + 4))
    assert loss == pytest.approx((7 * right + wrong) / 8, rel=1e-5)


def test_validation_pools_all_recordings_ignores_unscored_epochs_and_starts_anew():
    module = module_of()
    module.validation_step((signal([0, 0, 2, 2]), torch.tensor([[0, 2, 2, 9]])), 0)
    module.validation_step((signal([4, 1]), torch.tensor([[4, 4]])), 1)
    module.on_validation_epoch_end()
    truth, predicted = [0, 2, 2, 4, 4], [0, 0, 2, 4, 1]
    wanted = f1_score(truth, predicted, labels=[0, 1, 2, 4], average="macro", zero_division=0)
    assert module.logged["valid_macro_f1"] == pytest.approx(wanted, abs=1e-6)
    module.validation_step((signal([3, 3]), torch.tensor([[3, 3]])), 0)
    module.on_validation_epoch_end()
    assert module.logged["valid_macro_f1"] == 1


def test_optimiser_is_amsgrad_adam_with_the_configs_rate_and_schedule():
    constant = module_of(schedule="constant", learning_rate=1e-5).configure_optimizers()
    assert isinstance(constant, torch.optim.Adam)
    assert constant.defaults["amsgrad"]
    assert constant.defaults["lr"] == 1e-5
    (adam,), (schedule,) = module_of(max_epochs=2, updates_per_epoch=5, learning_rate=1e-2).configure_optimizers()
    for _ in range(10):
        adam.step()
        schedule["scheduler"].step()
    assert schedule["interval"] == "step"
    assert adam.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)

"""What training lowers, what validation scores, and the optimiser between them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from hypnoflow.config.train import Train
from hypnoflow.types import UNSCORED


def summed_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Return the cross-entropy summed over scored labels, and averaged over the steps of each.

    Divided by the number of scored labels in a whole batch it is the batch's loss, whatever parts the batch came in.

    Parameters
    ----------
    logits : Tensor, shape (batch, step, stage)
    label : Tensor of int64, shape (batch, label)
        Each stands for ``step / label`` steps in a row; `UNSCORED` is left out.
    """
    steps = logits.shape[1] // label.shape[1]
    each = label.repeat_interleave(steps, dim=1).flatten()
    return F.cross_entropy(logits.flatten(0, 1), each, ignore_index=UNSCORED, reduction="sum") / steps


def macro_f1(confusion: Tensor) -> Tensor:
    """Return the mean F1 over stages that occur in truth or prediction, from a (truth, prediction) matrix."""
    hits = confusion.diagonal().double()
    occurring = confusion.sum(0) + confusion.sum(1)
    f1 = 2 * hits / occurring.clamp(min=1)
    return f1[occurring > 0].mean()


def optimiser_and_schedule(model: nn.Module, options: Train) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """Return Adam (amsgrad), and the course of its learning rate over updates."""
    optimizer = torch.optim.Adam(model.parameters(), options.learning_rate, amsgrad=True)
    if options.schedule == "constant":
        return optimizer, LambdaLR(optimizer, lambda _: 1.0)
    return optimizer, CosineAnnealingLR(optimizer, options.max_epochs * options.updates_per_epoch)

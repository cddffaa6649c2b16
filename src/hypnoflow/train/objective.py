"""What validation scores, and the optimiser."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from hypnoflow.config.train import Train


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
    return optimizer, CosineAnnealingLR(optimizer, options.max_rounds * options.updates_per_round)

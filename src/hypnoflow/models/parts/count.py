"""What a network costs: parameters, multiplications, and operations by the conventions that papers use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hypnoflow.models.contract import Classifier
from hypnoflow.types import EPOCH_S


@dataclass(frozen=True, slots=True)
class Cost:
    """Operations of one pass; what is neither a product nor a normalisation (rectifiers, pools) is not counted.

    Attributes
    ----------
    macs : int
        Products that are added up: of convolutions, linear and recurrent layers.
    biases, normalised : int
        Numbers to which a bias is added; that are normalised, two operations each.
    """

    macs: int
    biases: int
    normalised: int

    @property
    def flops(self) -> int:
        """Return two operations for each product and no others."""
        return 2 * self.macs

    @property
    def flops_with_bias_and_norm(self) -> int:
        """Return the same with biases, and two for each number normalised: as ULW-SleepNet's paper counts."""
        return 2 * self.macs + self.biases + 2 * self.normalised


def count(model: Classifier, n_channels: int, n_epochs: int = 1, steps_per_epoch: int = 1) -> Cost:
    """Count the operations of one pass over so many 30-s epochs; on the device "meta" shapes suffice."""
    totals = {"macs": 0, "biases": 0, "normalised": 0}

    def note(module: nn.Module, args: Any, out: Any) -> None:
        y = out[0] if isinstance(out, tuple) else out
        if isinstance(module, nn.Conv1d):
            totals["macs"] += y.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            totals["macs"] += y.numel() * module.in_features
        elif isinstance(module, nn.GRU):
            steps, ways = args[0].shape[0] * args[0].shape[1], 1 + module.bidirectional
            totals["macs"] += 3 * steps * ways * module.hidden_size * (module.input_size + module.hidden_size)
        elif isinstance(module, nn.BatchNorm1d):
            totals["normalised"] += y.numel()
        if isinstance(module, nn.Conv1d | nn.Linear) and module.bias is not None:
            totals["biases"] += y.numel()

    hooks = [module.register_forward_hook(note) for module in model.modules() if module is not model]
    n = round(n_epochs * EPOCH_S * model.input.rate_hz)
    # Two windows, since a norm learns nothing from one number.
    x: Tensor = torch.empty(2, n_channels, n, device=next(model.parameters()).device)
    try:
        model.train()(x, steps_per_epoch)  # as it learns: every layer by itself, none joined
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(**{name: total // 2 for name, total in totals.items()})

"""What a network costs: parameters, multiplications, and operations by the conventions that papers use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hypnoflow.config.section import Section
from hypnoflow.models.contract import Classifier, Trainable
from hypnoflow.types import EPOCH_S, RESOLUTIONS, STAGES

SEVERAL = (1, 2, 3, 6)  # numbers of channels of which the cost is shown, where any will do


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
        """Return the same with biases, and two for each number normalised: as some papers count."""
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


def lines_of(kind: type[Trainable], options: Section) -> Iterator[str]:
    """Yield lines on what a network reads and costs; nothing is built but shapes."""
    with torch.device("meta"):
        model = kind(options, len(STAGES))
    own = list(model.parameters())
    trainable, reads = sum(p.numel() for p in own if p.requires_grad), model.input
    yield f"reads: {reads.needed}, {reads.rate_hz:g} Hz, {reads.unit}"
    yield f"parameters: {sum(p.numel() for p in own)}, of them trainable: {trainable}"
    if not isinstance(model, Classifier):
        yield "a pre-training: it scores nothing"
        return
    yield "operations for 30 s, from a night's share:"
    yield f"  {'channels':>8} {'step':>9} {'MACs':>13} {'2 x MACs':>13} {'with bias, norm':>16}"
    # Deep U-Nets need a few minutes to see.
    epochs = reads.window_epochs or (1 if reads.slots and not model.fine else 35)
    for n_channels in [len(reads.slots)] if reads.slots else SEVERAL:
        for f in (RESOLUTIONS[0], RESOLUTIONS[-1]) if model.fine else (1,):
            cost = count(model, n_channels, epochs, f)
            step = "30 s" if f == 1 else f"1/{f // 30} s"
            counts = (round(n / epochs) for n in (cost.macs, cost.flops, cost.flops_with_bias_and_norm))
            yield "  {:>8} {:>9} {:>13,} {:>13,} {:>16,}".format(n_channels, step, *counts)

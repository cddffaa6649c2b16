"""What a training would take, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from hypnoflow.config.run_options import Run
from hypnoflow.config.train import Train
from hypnoflow.data.recordings import StoredRecording
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.models.contract import Batch, Trainable
from hypnoflow.train.data import TrainingSet, window_sampler
from hypnoflow.train.devices import layout
from hypnoflow.train.training import Training
from hypnoflow.types import EPOCH_S

FLOAT = 4  # bytes
PER_PARAMETER = 5  # weight, gradient, and three moments of Adam with amsgrad


def describe(training: Training) -> str:
    """Return a text on the data, the network, the steps and the memory of a training."""
    training = replace(training, data=training.data.readable(training.wanted))
    sampler = window_sampler(training.data, training.options, training.wanted)
    course = _course(training.options, training.run)
    return "\n\n".join([_data(training.data, sampler), course, _memory(training, sampler)])


def _data(data: TrainingSet, sampler: WindowSampler) -> str:
    """Return a table: recordings, persons and hours of each cohort, and how often it is drawn."""
    lines = [f"{'cohort':<14}{'split':<7}{'recordings':>11}{'persons':>9}{'hours':>9}{'drawn':>8}"]
    for split, recordings in (("train", data.train), ("valid", data.valid)):
        for cohort in sorted({r.cohort for r in recordings}):
            drawn = sum(p for r, p in zip(sampler.recordings, sampler.recording_p, strict=True) if r.cohort == cohort)
            lines.append(_row(cohort, split, [r for r in recordings if r.cohort == cohort]))
            lines[-1] += f"{drawn:8.1%}" if split == "train" else ""
        lines.append(_row("all", split, recordings))
    return "\n".join(lines)


def _row(cohort: str, split: str, recordings: Sequence[StoredRecording]) -> str:
    persons = len({(r.cohort, r.person) for r in recordings})
    hours = sum(r.n_epochs for r in recordings) * EPOCH_S / 3600
    return f"{cohort:<14}{split:<7}{len(recordings):>11}{persons:>9}{hours:>9.1f}"


def _course(options: Train, run: Run) -> str:
    world = layout(run).world
    updates = options.max_rounds * options.updates_per_round
    windows = updates * options.batch_size
    part = options.batch_size // options.accumulate
    return "\n".join(
        [
            f"updates: at most {updates} = {options.max_rounds} rounds of {options.updates_per_round}",
            f"an update: {options.batch_size} windows of {options.window_epochs * EPOCH_S / 60:g} min, in "
            f"{options.accumulate} parts of {part} on {world} devices",
            f"windows: at most {windows}, {windows * options.window_epochs * EPOCH_S / 3600:.0f} h of sleep",
            f"labels: {options.label_s:g} s, compared with {options.steps_per_epoch} predictions per 30 s",
        ]
    )


def _memory(training: Training, sampler: WindowSampler) -> str:
    """Return the memory of one device, with the fewest, the mean and the most channels."""
    data, options, run = training.data, training.options, training.run
    if training.network.frozen_base:
        missing = [str(path) for path in training.bases if not path.is_file()]
        if missing:
            return f"memory: known once {', '.join(missing)} is there, which the network starts from"
        model = training.first_model().to("meta")
    else:
        with torch.device("meta"):
            model = training.network(training.entry.options, len(training.classes))
    n_parameters = sum(p.numel() for p in model.parameters())
    windows = -(-options.batch_size // (options.accumulate * layout(run).world))
    least, most = int(np.flatnonzero(sampler.channel_p)[0]) + 1, len(sampler.channel_p)
    mean = round(float(sampler.channel_p @ range(1, most + 1)))
    width = 0.5 if options.precision == "bf16-mixed" else 1.0
    lines = [
        f"network: {training.entry.network}, {n_parameters} parameters; with gradients and optimiser "
        f"{_mb(PER_PARAMETER * FLOAT * n_parameters)}"
    ]
    for n_channels in sorted({least, mean, most}):
        held = saved_bytes(model, windows, n_channels, options.window_epochs, options.steps_per_epoch) * width
        lines.append(f"activations of {windows} windows x {n_channels:2d} channels: about {_mb(held)} per device")
    stored = sum(
        round(2 * r.n_epochs * EPOCH_S * sum(c.rate_hz for c in r.channels)) for r in (*data.train, *data.valid)
    )
    lines.append(f"nights in memory: {_mb(stored)} would hold all, run.cache_mb allows {run.cache_mb} MB")
    return "\n".join(lines)


def saved_bytes(model: Trainable, windows: int, n_channels: int, n_epochs: int, steps_per_epoch: int) -> int:
    """Return the bytes that a forward pass in training keeps for the backward pass, parameters left out.

    The pass is done on shapes alone where `model` is on the device "meta": every network is measured, none guessed.
    """
    device = next(model.parameters()).device
    own = {p.untyped_storage()._cdata for p in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(saved: Tensor) -> Tensor:
        kept[saved.untyped_storage()._cdata] = saved
        return saved

    n = round(n_epochs * EPOCH_S * model.input.rate_hz)
    x = torch.empty(windows, n_channels, n, device=device)
    present = torch.ones(windows, n_channels, dtype=torch.bool, device=device)
    labels = torch.zeros(windows, n_epochs, dtype=torch.int64, device=device)
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        model.loss(Batch(x, present, labels, steps_per_epoch))
    return sum(tensor.untyped_storage().nbytes() for at, tensor in kept.items() if at not in own)


def _mb(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:.0f} MB"

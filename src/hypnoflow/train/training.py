"""One training run: what is learnt by which network, where, and what it starts from."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hypnoflow.checkpoints.published import load_any
from hypnoflow.config.run_options import Run
from hypnoflow.config.train import Train
from hypnoflow.data.tasks import task_of
from hypnoflow.errors import CheckpointError
from hypnoflow.facts.code import code_of
from hypnoflow.facts.files import sha256
from hypnoflow.models import lineage, models
from hypnoflow.models.contract import Classifier, Input, Trainable
from hypnoflow.models.parts.count import count
from hypnoflow.seeds import derive_seed
from hypnoflow.train.data import TrainingSet, entry_input
from hypnoflow.train.entry import Entry
from hypnoflow.train.said import Cost

COUNTED = 35  # epochs that are counted together: deep U-Nets need a few minutes to see


@dataclass(frozen=True, slots=True)
class How:
    """Where a training runs, the numbers that its draws derive from (the config's seed, and the training's own), and
    the fold that it leaves out, if any."""

    run: Run
    seed: int
    run_seed: int
    fold: int | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """One training run: what, how, where, and what it starts from.

    Attributes
    ----------
    data : TrainingSet
    entry : Entry
    how : How
        Threads, devices, workers and cache change no draw, and the result by the order of floating-point sums only:
        workers and cache not at all.
    bases : tuple of Path
        Checkpoints that it starts from, in the order of `entry.base`.
    """

    data: TrainingSet
    entry: Entry
    how: How
    bases: tuple[Path, ...] = ()

    @property
    def options(self) -> Train:
        """Return how it learns."""
        return self.entry.train

    @property
    def run(self) -> Run:
        """Return where it runs."""
        return self.how.run

    @property
    def network(self) -> type[Trainable]:
        """Return the class of its network."""
        return models.get(self.entry.network)

    @property
    def wanted(self) -> Input:
        """Return what its network reads."""
        return entry_input(self.entry)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the classes of its task, none of a pre-training."""
        return task_of(self.entry.task).classes

    def derived(self, *names: str | int) -> int:
        """Return a seed for something of this run."""
        return derive_seed(self.how.seed, "train", self.entry.name, self.how.run_seed, *names)

    def recipe(self) -> dict[str, Any]:
        """Return all that decides the result, by the name it has in messages."""
        return {
            "options": self.options.model_dump(mode="json", exclude={"frozen"}),
            "network": [self.entry.network, self.entry.options.model_dump(mode="json")],
            "task": self.entry.task,
            "seeds": [self.how.seed, self.how.run_seed],
            "data": self.data.fingerprint(),
            "bases": [sha256(path) for path in self.bases],
            "code": [code_of("train", model=lineage(self.entry.network)), str(torch.__version__)],
        }

    def first_model(self) -> Trainable:
        """Return the network with the weights that training starts from.

        Raises
        ------
        CheckpointError
            If it cannot start from what its entry names.
        """
        bases = [load_any(path) for path in self.bases]
        for path, base in zip(self.bases, bases, strict=True):
            if base.facts["preprocessing"] != self.data.preprocessing:
                raise CheckpointError(
                    f"{path}: trained on signals harmonized as {base.facts['preprocessing']}; here they are "
                    f"{self.data.preprocessing}"
                )
        torch.manual_seed(self.derived("weights"))
        try:
            return self.network(self.entry.options, len(self.classes), [base.model for base in bases])
        except ValueError as error:
            raise CheckpointError(f"{', '.join(map(str, self.bases)) or self.entry.name}: {error}") from None


def cost_of(model: Trainable) -> Cost:
    """Return the parameters of a network, and the products of 30 s of a night with as many channels as it has slots.

    Of a network of any channels the products are those with two; `trainable` parameters are those that training moves.
    """
    parameters = [(p.numel(), p.requires_grad) for p in model.parameters()]
    found: Cost = {"parameters": sum(n for n, _ in parameters), "trainable": sum(n for n, moves in parameters if moves)}
    if isinstance(model, Classifier):
        shapes = copy.deepcopy(model).to("meta")
        n_channels, n_epochs = len(model.input.slots) or 2, model.input.window_epochs or COUNTED
        macs = count(shapes, n_channels, n_epochs).macs // n_epochs
        found |= {"channels_counted": n_channels, "macs_per_epoch": macs}
    return found

"""The network under Lightning: masked loss, optimiser, and validation on whole recordings."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassConfusionMatrix

from hypnoflow.config import Train
from hypnoflow.models._base import StagingModel
from hypnoflow.types import STAGES, UNSCORED


class StagingModule(L.LightningModule):
    """Trains one network on windows and validates it on whole recordings with all their channels."""

    def __init__(self, model: StagingModel, options: Train):
        super().__init__()
        self.model, self.options = model, options
        self.confusion = MulticlassConfusionMatrix(len(STAGES), ignore_index=UNSCORED)

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
        x, stage = batch
        f = self.options.label_steps
        loss = masked_cross_entropy(self.model(x, f), stage.repeat_interleave(f, dim=1))
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(x))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _index: int) -> None:
        x, stage = batch
        self.confusion.update(self.model(x).argmax(-1).flatten(), stage.flatten())

    def on_validation_epoch_end(self) -> None:
        self.log("valid_macro_f1", macro_f1(self.confusion.compute()), prog_bar=True)
        self.confusion.reset()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.model.parameters(), self.options.learning_rate, amsgrad=True)
        if self.options.schedule == "constant":
            return optimizer
        updates = self.options.max_epochs * self.options.updates_per_epoch
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def masked_cross_entropy(logits: Tensor, stage: Tensor) -> Tensor:
    """Return the mean cross-entropy over scored epochs; zero where none is scored.

    Parameters
    ----------
    logits : Tensor, shape (batch, epoch, stage)
    stage : Tensor of int64, shape (batch, epoch)
        `UNSCORED` is left out.
    """
    total = F.cross_entropy(logits.flatten(0, 1), stage.flatten(), ignore_index=UNSCORED, reduction="sum")
    return total / (stage != UNSCORED).sum().clamp(min=1)


def macro_f1(confusion: Tensor) -> Tensor:
    """Return the mean F1 over stages that occur in truth or prediction, from a (truth, prediction) matrix."""
    hits = confusion.diagonal().float()
    occurring = confusion.sum(0) + confusion.sum(1)
    f1 = 2 * hits / occurring.clamp(min=1)
    return f1[occurring > 0].mean()

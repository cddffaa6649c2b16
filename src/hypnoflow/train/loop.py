"""Training from the first draw to the checkpoint, to be interrupted at any time.

Every draw derives from the seeds and the number of an update, and all else is in `Progress`, the weights and the
optimiser: a run that was killed and started again takes the same course as one that was not. On a CPU that is so bit
for bit on the same machine with as many threads and devices; elsewhere sums are rounded in another order, which
training amplifies.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import multiclass_confusion_matrix

from hypnoflow.checkpoints.checkpoint import Trained, save_checkpoint
from hypnoflow.data.dataset import Part, Plan, WindowBatches
from hypnoflow.data.reader import named, seen
from hypnoflow.data.recordings import SignalReader, StoredRecording, window_labels
from hypnoflow.data.votes import Votes
from hypnoflow.errors import TrainingInterrupted
from hypnoflow.facts.claim import claim
from hypnoflow.facts.code import code_of
from hypnoflow.facts.provenance import write_facts
from hypnoflow.models import lineage
from hypnoflow.models.contract import Batch, Classifier, Trainable
from hypnoflow.split.seen import beside, write_seen
from hypnoflow.train.calibrate import calibrate, nights
from hypnoflow.train.curve import Curve
from hypnoflow.train.data import window_sampler
from hypnoflow.train.devices import all_summed, computed_with, start, synchronised
from hypnoflow.train.objective import macro_f1, optimiser_and_schedule
from hypnoflow.train.said import TrainingFacts
from hypnoflow.train.state import ResumeFile
from hypnoflow.train.training import Training, cost_of
from hypnoflow.types import UNSCORED

log = logging.getLogger(__name__)


def train(training: Training, out: Path) -> TrainingFacts:
    """Train one network and write its checkpoint; the best by validation macro-F1 is kept.

    An unfinished training with the same recipe is gone on with, from ``{out}.resume``.

    Parameters
    ----------
    training : Training
    out : Path
        Checkpoint to write; ``.json`` beside it repeats what is returned, ``.csv`` and ``.tensorboard`` hold loss and
        score per round, ``.seen.parquet`` the persons that were trained and validated on.

    Returns
    -------
    TrainingFacts
        What the checkpoint says of its training: options, seeds, best validation macro-F1, numbers of recordings.

    Raises
    ------
    TrainingInterrupted
        After SIGTERM, once the state is on disk.
    CheckpointError
        If a base is no checkpoint that the network can start from.
    ConfigError
        If the batch does not divide into equal shares.
    CohortError
        If no recording to train or validate on has the channels that the network reads.
    """
    training = replace(training, data=training.data.readable(training.wanted))
    torch.set_num_threads(training.run.threads)
    fabric = start(training.options, training.run)
    record, outputs = out.with_suffix(".json"), [out, beside(out), out.with_suffix(".csv"), ResumeFile.beside(out)]
    with claim(record, outputs, list(training.bases)) if fabric.global_rank == 0 else nullcontext():
        trainer = Trainer(training, fabric, out)
        with stopping_on(signal.SIGTERM) as stop:
            trainer.fit(stop)
        facts = trainer.facts()
        if trainer.leads:
            if training.classes:
                facts["calibration"] = trainer.calibrated()
            _keep(trainer, facts, out)
        fabric.barrier()
    return facts


def _keep(trainer: Trainer, facts: TrainingFacts, out: Path) -> None:
    """Write the checkpoint and what lies beside it, and forget the state from which training could go on."""
    training, entry = trainer.training, trainer.training.entry
    bases = dict(zip(entry.base, training.bases, strict=True))
    trained = Trained(entry.name, entry.network, entry.options, entry.task, training.classes, bases)
    save_checkpoint(
        out, trained, trainer.progress.best, preprocessing=training.data.preprocessing, training=dict(facts)
    )
    write_seen(training.data.persons, out, training.bases, training.how.fold)
    code = code_of("train", model=lineage(entry.network))
    write_facts(out.with_suffix(".json"), "train", facts, [out, beside(out)], [out.with_suffix(".csv")], code=code)
    trainer.resume.remove()
    log.info("best validation score %.3f, %s", trainer.progress.best_score, out)


class Trainer:
    """One process's part of a training run.

    Attributes
    ----------
    progress : Progress
    leads : bool
        Whether this process writes.
    """

    def __init__(self, training: Training, fabric: L.Fabric, out: Path):
        self.training, self.fabric, self.leads = training, fabric, fabric.global_rank == 0
        self._reader = SignalReader(
            training.run.cache_mb // max(training.run.workers, 1), training.run.threads, training.wanted
        )
        self._model = cast(Trainable, synchronised(training.first_model(), fabric))
        optimizer, self._schedule = optimiser_and_schedule(self._model, training.options)
        network = cast(nn.Module, torch.compile(self._model)) if training.run.compile else self._model
        self._network, self._optimizer = fabric.setup(network, optimizer)
        self.resume = ResumeFile(out, training.recipe())
        self._parts = {"model": self._model, "optimizer": optimizer, "schedule": self._schedule}
        self.progress = self.resume.load(self._parts)
        self._loss_sum = torch.tensor(self.progress.loss_sum, device=fabric.device)
        self._curve = Curve(out, self.progress.rows) if self.leads else None

    def fit(self, stop: threading.Event) -> None:
        """Train until the last round, or until validation no longer improves."""
        options, progress = self.training.options, self.progress
        batches = iter(self._loader())
        saved = time.monotonic()
        while True:
            if progress.update == (len(progress.rows) + 1) * options.updates_per_round:
                self._finish_round(stop)
                saved = self._save()
            if len(progress.rows) == options.max_rounds or progress.stale >= options.patience:
                break
            if self._update(batches, stop):
                self._interrupt()
            if time.monotonic() - saved >= 60 * self.training.run.checkpoint_every_min:
                saved = self._save()
        if self._curve is not None:
            self._curve.close()

    def facts(self) -> TrainingFacts:
        """Return what the checkpoint says of this training."""
        training, progress = self.training, self.progress
        return {
            "model": training.entry.name,
            "network": training.entry.network,
            "network_options": training.entry.options.model_dump(mode="json"),
            "task": training.entry.task,
            "reads": training.wanted.needed,
            "options": training.options.model_dump(mode="json"),
            "seed": training.how.seed,
            "run_seed": training.how.run_seed,
            "fold": training.how.fold,
            "valid_macro_f1": progress.best_score,
            "rounds": len(progress.rows),
            "updates": progress.update,
            **cost_of(self._model),
            "train_recordings": len(training.data.train),
            "valid_recordings": len(training.data.valid),
            "computed_with": computed_with(self.fabric),
        }

    def calibrated(self) -> dict[str, Any]:
        """Return the calibration of the best weights on the validation persons, see `calibrate`."""
        training, model = self.training, self._model
        reader = SignalReader(threads=training.run.threads, wanted=training.wanted)
        return calibrate(cast(Classifier, model), self.progress.best, nights(training.data.valid, reader, model.input))

    def _loader(self) -> Iterator[Part]:
        """Return the parts of batches from the next update on."""
        training, options = self.training, self.training.options
        sampler = window_sampler(training.data, options, training.wanted)
        plan = Plan(
            training.derived("windows"),
            ("update",),
            options.batch_size,
            options.accumulate,
            self.fabric.global_rank,
            self.fabric.world_size,
            self.progress.update,
        )
        loader = DataLoader(
            WindowBatches(sampler, self._reader, options.window_epochs, plan),
            batch_size=None,
            num_workers=training.run.workers,
            # Never a fork: the stores are open.
            multiprocessing_context="spawn" if training.run.workers else None,
            worker_init_fn=_ignore_sigterm,
            pin_memory=self.fabric.device.type == "cuda",
        )
        return iter(loader)

    def _update(self, batches: Iterator[Part], stop: threading.Event) -> bool:
        """Do one update, and return whether any process was asked to stop."""
        options, fabric = self.training.options, self.fabric
        # What a network draws itself, dropout say, is a function of the update too.
        torch.manual_seed(self.training.derived("network", self.progress.update, fabric.global_rank))
        self._network.train()
        batch_loss = torch.zeros((), device=fabric.device)
        for part in range(options.accumulate):
            x, present, labels, n_scored = next(batches)
            x, present, labels = fabric.to_device((x, present, labels))
            if x.device.type == "cpu":  # memory of torch's own: where numpy's lies is chance, all else is aligned
                x = x.clone()
            with fabric.no_backward_sync(self._network, enabled=part < options.accumulate - 1):
                batch = Batch(x, present, labels, options.steps_per_epoch)
                counted = n_scored if self.training.classes else options.batch_size
                loss = self._network(batch) / max(counted, 1)
                fabric.backward(loss * fabric.world_size)  # gradients are averaged over processes
            batch_loss += loss.detach()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._schedule.step()
        self.progress.update += 1
        if fabric.world_size == 1:  # without a look at the loss, which would wait for the GPU
            self._loss_sum += batch_loss
            return stop.is_set()
        asked = torch.tensor(float(stop.is_set()), device=fabric.device)
        batch_loss, asked = all_summed(fabric, torch.stack([batch_loss, asked]))
        self._loss_sum += batch_loss
        return bool(asked > 0)

    def _finish_round(self, stop: threading.Event) -> None:
        """Validate, and note what came out."""
        progress, options = self.progress, self.training.options
        score = self._score(stop)
        row = {
            "round": len(progress.rows),
            "update": progress.update,
            "learning_rate": float(self._schedule.get_last_lr()[0]),
            "train_loss": float(self._loss_sum) / options.updates_per_round,
            "valid_macro_f1": score,
        }
        progress.validated(row, score, self._model.weights())
        self._loss_sum.zero_()
        if self._curve is not None:
            self._curve.add(progress.rows)
            log.info("round %d: loss %.3f, validation macro-F1 %.3f", len(progress.rows), row["train_loss"], score)

    def _score(self, stop: threading.Event) -> float:
        """Return by what the best weights are chosen: macro-F1 of a task, less the loss of a pre-training."""
        self._model.eval()
        with torch.inference_mode():
            if self.training.classes:
                return float(macro_f1(self._confusion(stop).cpu()))
            losses = self._losses(stop).cpu()
            return -float(losses[0] / losses[1].clamp(min=1))

    def _held(self, stop: threading.Event) -> Iterator[StoredRecording]:
        """Yield this process's share of the validation recordings."""
        fabric = self.fabric
        for recording in self.training.data.valid[fabric.global_rank :: fabric.world_size]:
            if stop.is_set() and fabric.world_size == 1:
                self._interrupt()
            yield recording

    def _confusion(self, stop: threading.Event) -> Tensor:
        """Return counts, shape (truth, prediction), over all labels of whole recordings with all their channels."""
        fabric, n = self.fabric, len(self.training.classes)
        model = cast(Classifier, self._model)
        counts = torch.zeros(n, n, dtype=torch.int64, device=fabric.device)
        for recording in self._held(stop):
            steps, votes = recording.labels_per_epoch, Votes()
            whole = self._reader.window(recording, 0, recording.n_epochs)
            for view in model.input.views(named(recording.channels)):
                x, present = seen(whole, view)
                found = model(x[None].to(fabric.device), steps, present[None].to(fabric.device))
                votes.add(found[0].softmax(-1))
            truth = torch.from_numpy(recording.labels.astype("int64")).to(fabric.device)
            counts += multiclass_confusion_matrix(votes.stage, truth, n, ignore_index=UNSCORED)
        return all_summed(fabric, counts)

    def _losses(self, stop: threading.Event) -> Tensor:
        """Return the loss summed over the windows of the validation recordings, and their number."""
        options, fabric, model = self.training.options, self.fabric, self._model
        total = torch.zeros(2, device=fabric.device)
        for recording in self._held(stop):
            view = model.input.views(named(recording.channels))[0]
            for first in range(0, recording.n_epochs - options.window_epochs + 1, options.window_epochs):
                x, present = seen(self._reader.window(recording, first, options.window_epochs), view)
                labels = torch.from_numpy(window_labels(recording, first, options.window_epochs).astype("int64"))
                batch = Batch(x[None], present[None], labels[None], options.steps_per_epoch)
                total += torch.stack([model.loss(fabric.to_device(batch)), total.new_ones(())])
        return all_summed(fabric, total)

    def _save(self) -> float:
        """Write the state, and return when."""
        if self.leads:
            self.progress.loss_sum = float(self._loss_sum)
            self.resume.save(self.progress, self._parts)
        return time.monotonic()

    def _interrupt(self) -> None:
        self._save()
        self.fabric.barrier()  # a process that ends takes the others with it
        raise TrainingInterrupted(
            f"training was asked to stop (SIGTERM) after update {self.progress.update}; its state is in "
            f"{self.resume.path}, and the same command goes on from it"
        )


def _ignore_sigterm(_worker: int) -> None:
    """Leave it to the training process what a signal to the whole group means."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextmanager
def stopping_on(number: signal.Signals) -> Iterator[threading.Event]:
    """Yield an event that the signal sets; elsewhere than in the main thread, signals stay as they are."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(number, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(number, before)

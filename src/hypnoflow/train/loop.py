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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import multiclass_confusion_matrix

from hypnoflow.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from hypnoflow.config.run_options import Run
from hypnoflow.config.train import Train
from hypnoflow.data.dataset import Batch, Plan, WindowBatches
from hypnoflow.data.recordings import SignalReader
from hypnoflow.data.views import Votes, views
from hypnoflow.errors import CheckpointError, TrainingInterrupted
from hypnoflow.facts.claim import claim
from hypnoflow.facts.code import code_of
from hypnoflow.facts.files import sha256
from hypnoflow.facts.provenance import write_facts
from hypnoflow.models import models
from hypnoflow.models.contract import StagingModel
from hypnoflow.seeds import derive_seed
from hypnoflow.split.seen import beside, write_seen
from hypnoflow.train.calibrate import calibrate, nights
from hypnoflow.train.curve import Curve
from hypnoflow.train.data import TrainingSet, seen_by, window_sampler
from hypnoflow.train.devices import all_summed, computed_with, start, synchronised
from hypnoflow.train.objective import macro_f1, optimiser_and_schedule, summed_cross_entropy
from hypnoflow.train.state import ResumeFile
from hypnoflow.types import STAGES, UNSCORED, labels_per_epoch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """One training run: what, how, where, and the names that its draws derive from."""

    data: TrainingSet
    options: Train
    run: Run
    seed: int
    run_seed: int

    def derived(self, *names: str | int) -> int:
        """Return a seed for something of this run."""
        return derive_seed(self.seed, "train", self.options.model, self.run_seed, *names)

    def recipe(self) -> dict[str, Any]:
        """Return all that decides the result, by the name it has in messages."""
        start_from = self.options.init_from
        return {
            "options": self.options.model_dump(mode="json", exclude={"seeds", "frozen"}),
            "seeds": [self.seed, self.run_seed],
            "data": self.data.fingerprint(),
            "first weights": sha256(Path(start_from)) if start_from else "",
            "code": [code_of("train", model=self.options.model), torch.__version__],
        }


def train(data: TrainingSet, options: Train, run: Run, *, seed: int, run_seed: int, out: Path) -> dict[str, Any]:
    """Train one network and write its checkpoint; the best by validation macro-F1 is kept.

    An unfinished training with the same recipe is gone on with, from ``{out}.resume``.

    Parameters
    ----------
    data : TrainingSet
    options : Train
        The config's section.
    run : Run
        Threads, devices, workers and cache; they change no draw, and the result by the order of floating-point sums
        only: workers and cache not at all.
    seed, run_seed : int
        The config's seed, and the number of this training run.
    out : Path
        Checkpoint to write; ``.json`` beside it repeats what is returned, ``.csv`` and ``.tensorboard`` hold loss and
        score per training epoch, ``.seen.parquet`` the persons that were trained and validated on.

    Returns
    -------
    dict
        What the checkpoint says of its training: options, seeds, best validation macro-F1, numbers of recordings.

    Raises
    ------
    TrainingInterrupted
        After SIGTERM, once the state is on disk.
    CheckpointError
        If `options.init_from` is no checkpoint of this network.
    ConfigError
        If the batch does not divide into equal shares.
    CohortError
        If the network takes pairs of EEG and EOG, and nothing to train or validate on has one.
    """
    task = Task(seen_by(options.model, data), options, run, seed, run_seed)
    torch.set_num_threads(run.threads)
    fabric = start(options, run)
    record, outputs = out.with_suffix(".json"), [out, beside(out), out.with_suffix(".csv"), ResumeFile.beside(out)]
    inputs = [Path(options.init_from)] if options.init_from else []
    with claim(record, outputs, inputs) if fabric.global_rank == 0 else nullcontext():
        trainer = Trainer(task, fabric, out)
        with stopping_on(signal.SIGTERM) as stop:
            trainer.fit(stop)
        facts = trainer.facts()
        if trainer.leads:
            facts["calibration"] = trainer.calibrated()
            _keep(trainer, facts, out)
        fabric.barrier()
    return facts


def _keep(trainer: Trainer, facts: dict[str, Any], out: Path) -> None:
    """Write the checkpoint and what lies beside it, and forget the state from which training could go on."""
    task = trainer.task
    save_checkpoint(
        out,
        task.options.model,
        trainer.progress.best,
        task.options.network,
        preprocessing=task.data.preprocessing,
        training=facts,
    )
    write_seen(task.data.persons, out, task.options.init_from)
    code = code_of("train", model=task.options.model)
    write_facts(out.with_suffix(".json"), "train", facts, [out, beside(out)], [out.with_suffix(".csv")], code=code)
    trainer.resume.remove()
    log.info("best validation macro-F1 %.3f, %s", trainer.progress.best_score, out)


def first_model(task: Task) -> StagingModel:
    """Return the network with the weights that training starts from."""
    options = task.options
    torch.manual_seed(task.derived("weights"))
    if options.init_from is None:
        return models.get(options.model)(options.network)
    given = load_checkpoint(Path(options.init_from))
    for what, found, wanted in (
        ("network", given.facts["model"], options.model),
        ("size", given.facts["network"], options.network.model_dump()),
        ("preprocessing", given.facts["preprocessing"], task.data.preprocessing),
    ):
        if found != wanted:
            raise CheckpointError(f"{options.init_from}: its {what} is {found}, train.init_from needs {wanted}")
    return given.model


class Trainer:
    """One process's part of a training run.

    Attributes
    ----------
    progress : Progress
    leads : bool
        Whether this process writes.
    """

    def __init__(self, task: Task, fabric: L.Fabric, out: Path):
        self.task, self.fabric, self.leads = task, fabric, fabric.global_rank == 0
        self._reader = SignalReader(task.run.cache_mb // max(task.run.workers, 1), task.run.threads)
        self._model = synchronised(first_model(task), fabric)
        optimizer, self._schedule = optimiser_and_schedule(self._model, task.options)
        network = cast(nn.Module, torch.compile(self._model)) if task.run.compile else self._model
        self._network, self._optimizer = fabric.setup(network, optimizer)
        self.resume = ResumeFile(out, task.recipe())
        self._parts = {"model": self._model, "optimizer": optimizer, "schedule": self._schedule}
        self.progress = self.resume.load(self._parts)
        self._loss_sum = torch.tensor(self.progress.loss_sum, device=fabric.device)
        self._curve = Curve(out, self.progress.rows) if self.leads else None

    def fit(self, stop: threading.Event) -> None:
        """Train until the last training epoch, or until validation no longer improves."""
        options, progress = self.task.options, self.progress
        batches = iter(self._loader())
        saved = time.monotonic()
        while True:
            if progress.update == (len(progress.rows) + 1) * options.updates_per_epoch:
                self._finish_epoch(stop)
                saved = self._save()
            if len(progress.rows) == options.max_epochs or progress.stale >= options.patience:
                break
            if self._update(batches, stop):
                self._interrupt()
            if time.monotonic() - saved >= 60 * self.task.run.checkpoint_every_min:
                saved = self._save()
        if self._curve is not None:
            self._curve.close()

    def facts(self) -> dict[str, Any]:
        """Return what the checkpoint says of this training."""
        task, progress = self.task, self.progress
        return {
            "options": task.options.model_dump(mode="json"),
            "seed": task.seed,
            "run_seed": task.run_seed,
            "valid_macro_f1": progress.best_score,
            "training_epochs": len(progress.rows),
            "updates": progress.update,
            "train_recordings": len(task.data.train),
            "valid_recordings": len(task.data.valid),
            "computed_with": computed_with(self.fabric),
        }

    def calibrated(self) -> dict[str, Any]:
        """Return the calibration of the best weights on the validation persons, see `calibrate`."""
        task, network = self.task, models.get(self.task.options.model)
        held = nights(task.data.valid, SignalReader(threads=task.run.threads), partial(views, network))
        return calibrate(network(task.options.network).to(self.fabric.device), self.progress.best, held)

    def _loader(self) -> Iterator[Batch]:
        """Return the parts of batches from the next update on."""
        task, options = self.task, self.task.options
        sampler = window_sampler(task.data, options)
        plan = Plan(
            task.derived("windows"),
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
            num_workers=task.run.workers,
            # Never a fork: the stores are open.
            multiprocessing_context="spawn" if task.run.workers else None,
            worker_init_fn=_ignore_sigterm,
            pin_memory=self.fabric.device.type == "cuda",
        )
        return iter(loader)

    def _update(self, batches: Iterator[Batch], stop: threading.Event) -> bool:
        """Do one update, and return whether any process was asked to stop."""
        options, fabric = self.task.options, self.fabric
        # What a network draws itself, dropout say, is a function of the update too.
        torch.manual_seed(self.task.derived("network", self.progress.update, fabric.global_rank))
        self._network.train()
        batch_loss = torch.zeros((), device=fabric.device)
        for part in range(options.accumulate):
            x, labels, n_scored = next(batches)
            x, labels = fabric.to_device((x, labels))
            if x.device.type == "cpu":  # memory of torch's own: where numpy's lies is chance, all else is aligned
                x = x.clone()
            with fabric.no_backward_sync(self._network, enabled=part < options.accumulate - 1):
                logits = self._network(x, options.steps_per_epoch)
                loss = summed_cross_entropy(logits, labels) / max(n_scored, 1)
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

    def _finish_epoch(self, stop: threading.Event) -> None:
        """Validate, and note what came out."""
        progress, options = self.progress, self.task.options
        score = float(macro_f1(self._confusion(stop).cpu()))
        row = {
            "epoch": len(progress.rows),
            "update": progress.update,
            "learning_rate": float(self._schedule.get_last_lr()[0]),
            "train_loss": float(self._loss_sum) / options.updates_per_epoch,
            "valid_macro_f1": score,
        }
        progress.validated(row, score, self._model.state_dict())
        self._loss_sum.zero_()
        if self._curve is not None:
            self._curve.add(progress.rows)
            log.info(
                "training epoch %d: loss %.3f, validation macro-F1 %.3f", len(progress.rows), row["train_loss"], score
            )

    def _confusion(self, stop: threading.Event) -> Tensor:
        """Return counts, shape (truth, prediction), over all labels of whole recordings with all their channels."""
        fabric = self.fabric
        steps = labels_per_epoch(self.task.options.label_s)
        counts = torch.zeros(len(STAGES), len(STAGES), dtype=torch.int64, device=fabric.device)
        self._model.eval()
        with torch.inference_mode():
            for recording in self.task.data.valid[fabric.global_rank :: fabric.world_size]:
                if stop.is_set() and fabric.world_size == 1:
                    self._interrupt()
                x = torch.from_numpy(self._reader.window(recording, 0, recording.n_epochs)).to(fabric.device)
                votes = Votes()
                for channels in views(models.get(self.task.options.model), recording.channel_kinds):
                    votes.add(self._model(x[None, channels], steps)[0].softmax(-1))
                stage = votes.stage
                truth = torch.from_numpy(recording.labels.astype("int64")).to(fabric.device)
                counts += multiclass_confusion_matrix(stage, truth, len(STAGES), ignore_index=UNSCORED)
        return all_summed(fabric, counts)

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

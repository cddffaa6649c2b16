"""Training from the first draw to the checkpoint."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, Dataset

from hypnoflow.config import Run, Train
from hypnoflow.data.dataset import WindowBatches
from hypnoflow.data.recordings import SignalReader, StoredRecording, open_stored
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.data.splits import usable
from hypnoflow.errors import CohortError, ConfigError
from hypnoflow.io.store import preprocessing, zarr_attrs
from hypnoflow.models import models
from hypnoflow.models._checkpoint import save_checkpoint
from hypnoflow.seeds import derive_seed, generator
from hypnoflow.train.calibrate import calibrate, nights
from hypnoflow.train.module import StagingModule

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Recordings to learn from and to validate on, and how they were harmonized."""

    train: Sequence[StoredRecording]
    valid: Sequence[StoredRecording]
    preprocessing: dict[str, Any]


class WholeRecordings(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Each item is one recording: signals (channel, sample) and stages (epoch,)."""

    def __init__(self, recordings: Sequence[StoredRecording], reader: SignalReader):
        self._recordings, self._reader = recordings, reader

    def __len__(self) -> int:
        return len(self._recordings)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        r = self._recordings[index]
        return torch.from_numpy(self._reader.window(r, 0, r.n_epochs)), torch.from_numpy(r.stage.astype("int64"))


class PlainProgress(L.Callback):
    """One line per training epoch, for logs."""

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        score = trainer.callback_metrics.get("valid_macro_f1")
        if not trainer.sanity_checking and score is not None:
            log.info("training epoch %d: validation macro-F1 %.3f", trainer.current_epoch + 1, float(score))


def load_training_set(split: Path, harmonized: Path) -> TrainingSet:
    """Open the training and validation recordings of a split table.

    Raises
    ------
    CohortError
        If nothing is left to train or validate on, or recordings were harmonized in different ways.
    """
    table = usable(pd.read_parquet(split), harmonized)
    opened: dict[str, list[StoredRecording]] = {"train": [], "valid": []}
    ways: list[dict[str, Any]] = []
    for row in table[table["split"].isin(list(opened))].to_dict("records"):
        store = harmonized / row["cohort"] / f"{row['shard']}.zarr"
        opened[row["split"]].append(open_stored(store, row["cohort"], row["recording"], row["person"]))
        way = preprocessing(zarr_attrs(store / row["recording"]))
        ways += [] if way in ways else [way]
    for name, recordings in opened.items():
        if not recordings:
            raise CohortError(f"no harmonized recording in the {name} split")
    if len(ways) > 1:
        raise CohortError(f"recordings were harmonized in {len(ways)} different ways: {ways}")
    return TrainingSet(opened["train"], opened["valid"], ways[0])


def train(data: TrainingSet, options: Train, run: Run, *, seed: int, run_seed: int, out: Path) -> dict[str, Any]:
    """Train one network and write its checkpoint; the best by validation macro-F1 is kept.

    Parameters
    ----------
    data : TrainingSet
    options : Train
        The config's section.
    run : Run
        Threads, device and cache; never change the result but by the order of floating-point sums.
    seed, run_seed : int
        The config's seed, and the number of this training run.
    out : Path
        Checkpoint to write; ``.csv`` beside it holds loss and score per training epoch.

    Returns
    -------
    dict
        What the checkpoint says of its training: options, seeds, best validation macro-F1, numbers of recordings.
    """
    torch.set_num_threads(run.threads)
    L.seed_everything(derive_seed(seed, "train", options.model, run_seed, "weights"), verbose=False)
    model = models.get(options.model)
    if not model.channel_agnostic:
        raise ConfigError(
            f"train.model: {options.model} takes fixed channels, and training draws any; train one of the others, or "
            "score with published weights (`hypnoflow weights list`)"
        )
    module = StagingModule(model(options.network), options)
    reader = SignalReader(run.cache_mb, run.threads)
    rng = generator(seed, "train", options.model, run_seed, "windows")
    sampler = WindowSampler(data.train, options.window_epochs, options.dataset_mix, rng)
    batches = WindowBatches(sampler, reader, options.batch_size, options.window_epochs)
    with tempfile.TemporaryDirectory() as folder:
        best = ModelCheckpoint(folder, monitor="valid_macro_f1", mode="max", save_weights_only=True)
        logger = CSVLogger(folder, name="", version="")
        trainer = _trainer(options, run, best, logger)
        with warnings.catch_warnings():
            # One process reads and trains: on few cores workers cost more than they bring, and never after a fork.
            warnings.filterwarnings("ignore", "The '\\w+_dataloader' does not have many workers")
            trainer.fit(
                module,
                DataLoader(batches, batch_size=None),
                DataLoader(WholeRecordings(data.valid, reader), batch_size=1),
            )
        state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
        weights = {k.removeprefix("model."): v.clone() for k, v in state.items() if k.startswith("model.")}
        score = float(best.best_model_score)  # type: ignore[arg-type]
        out.parent.mkdir(parents=True, exist_ok=True)
        out.with_suffix(".csv").write_text((Path(folder) / "metrics.csv").read_text())
    facts = {
        "options": options.model_dump(mode="json"),
        "seed": seed,
        "run_seed": run_seed,
        "valid_macro_f1": score,
        "training_epochs": trainer.current_epoch,
        "train_recordings": len(data.train),
        "valid_recordings": len(data.valid),
        "calibration": calibrate(module.model, weights, nights(data.valid, reader)),
    }
    save_checkpoint(out, options.model, weights, options.network, preprocessing=data.preprocessing, training=facts)
    return facts


def _trainer(options: Train, run: Run, best: ModelCheckpoint, logger: CSVLogger) -> L.Trainer:
    on_terminal = sys.stderr.isatty()
    return L.Trainer(
        accelerator={"auto": "auto", "cpu": "cpu", "cuda": "gpu"}[run.device],
        devices=1,
        max_epochs=options.max_epochs,
        limit_train_batches=options.updates_per_epoch,
        num_sanity_val_steps=0,
        callbacks=[
            best,
            EarlyStopping("valid_macro_f1", mode="max", patience=options.patience),
            PlainProgress(),
        ],
        logger=logger,
        log_every_n_steps=10,
        enable_progress_bar=on_terminal,
        enable_model_summary=False,
    )

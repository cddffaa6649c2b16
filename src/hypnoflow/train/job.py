"""A split table and harmonized stores → one trained network, its curve and whom it has seen."""

from __future__ import annotations

from pathlib import Path

from hypnoflow.config.run_options import Run
from hypnoflow.config.train import Train
from hypnoflow.train.data import load_training_set
from hypnoflow.train.dry_run import describe
from hypnoflow.train.loop import train


def train_files(
    split: Path, harmonized: Path, out: Path, options: Train, run: Run, *, seed: int, run_seed: int
) -> None:
    """Train one network and keep the best by the validation persons; run again, an interrupted training goes on.

    Parameters
    ----------
    split : Path
        The table of splits.
    harmonized : Path
        Folder of the harmonized stores.
    out : Path
        The checkpoint; its ``.json``, ``.csv`` and ``.seen.parquet`` lie beside it.
    seed, run_seed : int
        The config's seed, and the number of this training.
    """
    train(load_training_set(split, harmonized, options.label_s), options, run, seed=seed, run_seed=run_seed, out=out)


def describe_training(split: Path, harmonized: Path, options: Train, run: Run) -> str:
    """Return what a training would be: sizes, steps, memory."""
    return describe(load_training_set(split, harmonized, options.label_s), options, run)

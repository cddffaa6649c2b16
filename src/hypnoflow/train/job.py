"""A split table and harmonized stores → one trained network, its curve and whom it has seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypnoflow.checkpoints.release import local_file
from hypnoflow.errors import ConfigError
from hypnoflow.train.data import load_training_set
from hypnoflow.train.dry_run import describe
from hypnoflow.train.entry import Entry
from hypnoflow.train.loop import train
from hypnoflow.train.training import How, Training


def train_files(split: Path, harmonized: Path, out: Path, entry: Entry, bases: Sequence[str], how: How) -> None:
    """Train one network and keep the best by the validation persons; run again, an interrupted training goes on.

    Parameters
    ----------
    split : Path
        The table of splits.
    harmonized : Path
        Folder of the harmonized stores.
    out : Path
        The checkpoint; its ``.json``, ``.csv`` and ``.seen.parquet`` lie beside it.
    bases : sequence of str
        Checkpoints that it starts from, in the order of `entry.base`: files, or names of published weights.
    """
    files = tuple(local_file(base) for base in bases)
    train(_training(split, harmonized, entry, files, how), out)


def describe_training(split: Path, harmonized: Path, entry: Entry, bases: Sequence[str], how: How) -> str:
    """Return what a training would be: sizes, steps, memory; parameters as `train_files`."""
    return describe(_training(split, harmonized, entry, tuple(map(Path, bases)), how))


def _training(split: Path, harmonized: Path, entry: Entry, bases: tuple[Path, ...], how: How) -> Training:
    if len(bases) != len(entry.base):
        raise ConfigError(f"{entry.name} starts from {len(entry.base)} bases; {len(bases)} checkpoints are given")
    return Training(load_training_set(split, harmonized, entry, how.fold), entry, how, bases)

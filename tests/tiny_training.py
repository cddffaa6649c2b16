"""A training small enough for tests: stores whose stages a sine tells apart, and the folder that the CLI wants."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from zarr.codecs import BloscCodec

from hypnoflow.config.run_options import Run
from hypnoflow.config.train import Train
from hypnoflow.models import declaration
from hypnoflow.models.parts.size import UNetSize
from hypnoflow.store.store_files import start_store
from hypnoflow.train import loop
from hypnoflow.train.data import TrainingSet
from hypnoflow.train.entry import Entry
from hypnoflow.train.training import How, Training

NETWORK = UNetSize(depth=6, complexity=0.1, attention_hidden=4)
PREPROCESSING = {"version": 1, "clip_iqr": 20.0}
LZ4 = BloscCodec(typesize=2, cname="lz4", shuffle="bitshuffle")
RUN = Run(threads=1, device="cpu")
PROGRAM = Path(sys.executable).parent / "hypnoflow"


def options(name: str = "anysleep", *, network=NETWORK, task: str | None = "stage", **more) -> Entry:
    """Return an entry of a small network; `more` are options of training."""
    small = {"window_epochs": 4, "batch_size": 4, "updates_per_round": 3, "max_rounds": 2, "learning_rate": 1e-2}
    return Entry(name, name, network, (), task, Train(**{**small, **more}), (1,))


def small(name: str) -> Entry:
    """Return an entry of any registered network, small, that reads an EEG and an EOG channel or more."""
    known = declaration(name)
    if known.options is UNetSize:
        return options(name)
    recipe = {key: value for key, value in known.recipe.items() if key in ("label_steps", "window_epochs")}
    return options(name, network=known.options(channels=("eeg", "eog")), **recipe)


def changed(entry: Entry, *, network=None, base: tuple[str, ...] = (), **more) -> Entry:
    """Return an entry of which some is otherwise."""
    train = entry.train.model_copy(update=more)
    return replace(entry, options=network or entry.options, base=base or entry.base, train=train)


def train(data: TrainingSet, entry: Entry, run: Run = RUN, *, seed: int, run_seed: int, out: Path) -> dict:
    """Train in this process; the entry's bases are files."""
    return loop.train(Training(data, entry, How(run, seed, run_seed), tuple(map(Path, entry.base))), out)


def write_store(
    path: Path, names: list[str], label_s: float = 30.0, repeats: int = 4, *, n_eog: int = 0, **attributes
) -> None:
    """Write recordings of five epochs times `repeats` whose stages differ in the frequency of a sine; two EEG channels.

    With `label_s` shorter than 30 the stage changes that often, and the 30-s label is the stage of the first part.
    """
    start_store(path, "r", of="c/000")
    rng = np.random.default_rng(5)
    per_epoch = round(30 / label_s)
    for name in names:
        fine = np.tile(np.arange(5, dtype=np.uint8), repeats * per_epoch)
        facts = {"preprocessing_version": 1, "clip_iqr": 20.0, **attributes}
        group = zarr.open_group(path / name, mode="w", zarr_format=3, attributes=facts)
        t = np.arange(int(label_s * 128)) / 128
        x = np.concatenate([np.sin(2 * np.pi * (1 + 4 * code) * t) for code in fine])
        for kind, n_channels in (("eeg", 2), ("eog", n_eog)):
            if n_channels:
                noisy = np.stack([x + 0.3 * rng.standard_normal(len(x)) for _ in range(n_channels)])
                layout = {"chunks": (1, 38_400), "shards": (n_channels, -(-len(x) // 38_400) * 38_400)}
                packed = np.round(noisy * 1638).astype(np.int16)
                scale = {"scale_factor": 20 / 32767}
                group.create_array(kind, data=packed, attributes=scale, compressors=LZ4, **layout)
        group.create_array("stage", data=fine[::per_epoch].copy())
        if per_epoch > 1:
            group.create_array("stage_fine", data=fine, attributes={"label_s": label_s})


def write_harmonized(folder: Path, label_s: float = 30.0) -> None:
    """Write ``harmonized`` and ``split.parquet``: two recordings to train on, two to validate on."""
    names = ["a", "b", "c", "d"]
    store = folder / "harmonized" / "c" / "000.zarr"
    write_store(store, names, label_s)
    store.with_suffix(".json").write_text(json.dumps({"recordings": dict.fromkeys(names, "")}))
    rows = [
        {"cohort": "c", "shard": "000", "recording": name, "person": name, "split": split}
        for name, split in zip(names, ("train", "train", "valid", "valid"), strict=True)
    ]
    pd.DataFrame(rows).to_parquet(folder / "split.parquet")


def command(folder: Path, out: Path, entry: Entry, **run: object) -> list[str]:
    """Return the command line of a training."""
    section = {"network": entry.network, "options": entry.options.model_dump(), "base": entry.base, "task": entry.task}
    science = json.dumps({"seed": 3, "train": entry.train.model_dump(mode="json"), "models": {entry.name: section}})
    places = ["--split", folder / "split.parquet", "--harmonized", folder / "harmonized", "--out", out]
    how = {"threads": 1, "device": "cpu", **run}
    more = [word for name, value in how.items() for word in ("--run", f"{name}={value}")]
    return [*map(str, [PROGRAM, "train", *places]), "--model", entry.name, "--seed", "1", "--science", science, *more]


def start(words: list[str]) -> subprocess.Popen[str]:
    """Start a command, its standard error to be read."""
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})

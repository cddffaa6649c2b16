"""Training windows per second from stores of simulated cohorts, sampling included, against the published loader's way.

``HYPNOFLOW_BENCH_COHORTS=21`` measures all cohorts; four of different formats are enough to see the ratio.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter, process_time

import h5py
import numpy as np
import pytest
import torch

from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.config.simulate import Simulate
from hypnoflow.data.dataset import Plan, WindowBatches
from hypnoflow.data.recordings import SignalReader, StoredRecording, open_stored
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.harmonize.job import harmonize_shard
from hypnoflow.simulate.dialects import dialects
from hypnoflow.simulate.job import simulate_cohort
from hypnoflow.store.store import recordings

FIRST = ("sedf-sc", "dodh", "phys", "shhs")  # EDF with 2 EEG; HDF5; WFDB; EDF of the NSRR
N_COHORTS = int(os.environ.get("HYPNOFLOW_BENCH_COHORTS", len(FIRST)))
WINDOW_EPOCHS, BATCH, BATCHES, ROUNDS = 35, 64, 4, 5


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> list[StoredRecording]:
    """Nights of two hours from each cohort, harmonized from its own files."""
    folder = tmp_path_factory.mktemp("loader")
    names = [*FIRST, *(name for name in dialects.names() if name not in FIRST)][:N_COHORTS]
    opened = []
    for name in names:
        root, store = folder / name, folder / f"{name}.zarr"
        simulate_cohort(name, root, CohortConfig(persons=2), Simulate(night_h=2.0, bad_site_share=0.0), seed=1)
        manifest, _ = index_cohort(name, root, 50)
        harmonize_shard(manifest, root, store, Harmonize())
        opened += [open_stored(store, name, recording, recording) for recording in recordings(store)]
    return opened


def write_hdf5(path: Path, stored: list[StoredRecording]) -> None:
    """Write the published layout: /dataset/subject/PSG/channel, hypnogram, class_to_index/code."""
    with h5py.File(path, "w") as file:
        for r in stored:
            group = file.require_group(f"{r.cohort}/{r.recording}")
            for i, x in enumerate(SignalReader().window(r, 0, r.n_epochs)):
                group.create_dataset(f"PSG/{i:02d}", data=x)
            group.create_dataset("hypnogram", data=r.stage)
            for code in range(5):
                group.create_dataset(f"class_to_index/{code}", data=np.flatnonzero(r.stage == code))


class PublishedWay:
    """The file is open; every sample works out its probabilities, reads its index and its channels one by one."""

    def __init__(self, file: h5py.File, rng: np.random.Generator):
        self.file, self.rng = file, rng

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        most = max(len(s["PSG"]) for d in self.file.values() for s in d.values())
        p = 1 / (np.arange(1, most + 1) * sum(1 / n for n in range(1, most + 1)))
        n_channels = 1 + self.rng.choice(most, p=p)
        x, y = zip(*(self.sample(n_channels) for _ in range(BATCH)), strict=True)
        return torch.from_numpy(np.stack(x)), torch.from_numpy(np.stack(y))

    def sample(self, n_channels: int) -> tuple[np.ndarray, np.ndarray]:
        code = self.rng.integers(5)
        sizes = np.array([len(dataset) for dataset in self.file.values()])
        p = 0.5 / len(sizes) + 0.5 * sizes / sizes.sum()
        for _ in range(100):
            dataset = self.file[list(self.file)[self.rng.choice(len(sizes), p=p)]]
            subject = dataset[list(dataset)[self.rng.integers(len(dataset))]]
            index = subject[f"class_to_index/{code}"][:]
            if len(index):
                break
        epoch, n = self.rng.choice(index), len(subject["hypnogram"])
        low = max(epoch - WINDOW_EPOCHS + 1, 0)
        start = min(int(self.rng.integers(low, epoch + 1)), n - WINDOW_EPOCHS)
        names = list(subject["PSG"])
        chosen = self.rng.choice(names, n_channels, replace=len(names) < n_channels)
        at = slice(start * 3840, (start + WINDOW_EPOCHS) * 3840)
        x = np.stack([subject["PSG"][name][at] for name in chosen])
        return x, subject["hypnogram"][start : start + WINDOW_EPOCHS].astype(np.int64)


def test_loader_against_the_published_way(stored, tmp_path):
    write_hdf5(tmp_path / "all.h5", stored)
    sampler = WindowSampler(stored, WINDOW_EPOCHS, 0.5)

    def loader(cache_mb: int, threads: int):
        return iter(WindowBatches(sampler, SignalReader(cache_mb, threads), WINDOW_EPOCHS, Plan(1, ("w",), BATCH)))

    ways = {f"{name}, {n} threads": loader(mb, n) for name, mb in (("cache", 4000), ("no cache", 0)) for n in (1, 2)}
    with h5py.File(tmp_path / "all.h5") as file:
        published = PublishedWay(file, np.random.default_rng(1))
        draws = {name: (lambda batches=batches: next(batches)[0]) for name, batches in ways.items()}
        draws["published"] = lambda: published.batch()[0]
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in draws}
        for _ in range(1 + ROUNDS):  # the first fills the cache
            for name, draw in draws.items():
                rates[name].append(rate(draw))
    print(f"\n{len(stored)} recordings of {N_COHORTS} cohorts, batches of {BATCH} windows of 17.5 min")
    best = {name: np.max(each[1:], axis=0) for name, each in rates.items()}
    for name, (per_s, per_cpu_s) in best.items():
        of_wall, of_cpu = best[name] / best["published"]
        print(f"{name:20}{per_s:7.0f} channel windows/s, {of_wall:5.2f} times the published way;", end="")
        print(f"{per_cpu_s:7.0f} per s of CPU, {of_cpu:5.2f} times")
    for name in ("cache, 2 threads", "no cache, 2 threads"):
        assert best[name][0] / best["published"][0] >= 1.5


def rate(draw) -> tuple[float, float]:
    """Return windows times channels per second and per second of CPU; batches differ in their channels."""
    start, cpu = perf_counter(), process_time()
    found = sum(x.shape[0] * x.shape[1] for x in (draw() for _ in range(BATCHES)))
    return found / (perf_counter() - start), found / (process_time() - cpu)

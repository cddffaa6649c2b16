"""Features, triplets, intrusions and matching of nights of eight hours; printed, and bounded only as ratios."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hypnoflow.config.features import Features
from hypnoflow.config.run_options import Run
from hypnoflow.dask import dask_scheduler
from hypnoflow.evaluate import match_events
from hypnoflow.features import TRIPLETS, triplet_counts, wake_intrusions
from hypnoflow.features.rows import write_features
from hypnoflow.store.scores import StoredScores, write_scores
from hypnoflow.types import RESOLUTIONS, StageArray

EPOCHS = 960
FLICKER = 0.03  # share of steps below 2 s that a network draws anew; a demo's network flickers as much at 1/128 s
N_NIGHTS = 100


def night(seed: int) -> dict[int, StageArray]:
    """Return stages at every resolution: bouts of minutes, 150 arousals, flicker below 2 s."""
    rng = np.random.default_rng(seed)
    coarse = np.repeat(rng.choice([0, 1, 2, 2, 2, 3, 4], EPOCHS // 8), 8).astype(np.uint8)
    arousals = list(zip(rng.uniform(600, 28000, 150), rng.uniform(3, 15, 150), strict=True))
    stage = {}
    for f in RESOLUTIONS:
        stage[f] = np.repeat(coarse, f)
        if f >= 4:
            for onset_s, duration_s in arousals:
                stage[f][int(onset_s * f / 30) : int((onset_s + duration_s) * f / 30)] = 0
        if f > 16:
            at = rng.integers(0, len(stage[f]), int(len(stage[f]) * FLICKER))
            stage[f][at] = rng.integers(0, 5, len(at))
    return stage


def fastest(work: Callable[[], object], times: int = 7) -> float:
    """Return the least CPU time of several runs, s: other processes of the machine only add to it."""
    took = []
    for _ in range(times):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)


def published_triplets(stage: StageArray, f: int) -> list[list[int]]:
    """Count as published: a mask over the block, and a loop over what it finds."""
    counts = []
    for i in range(0, len(stage), 180 * f):
        block = stage[i : i + 180 * f]
        row = dict.fromkeys(TRIPLETS, 0)
        for at in np.flatnonzero((block[:-2] != block[1:-1]) & (block[1:-1] != block[2:])):
            row[int(block[at]), int(block[at + 1]), int(block[at + 2])] += 1
        counts.append(list(row.values()))
    return counts


def test_triplets_of_a_night_against_the_published_loop():
    stage = night(1)[3840]
    assert triplet_counts(stage, 3840).tolist() == published_triplets(stage, 3840)
    ours = fastest(lambda: triplet_counts(stage, 3840))
    theirs = fastest(lambda: published_triplets(stage, 3840), 3)
    hits = int(triplet_counts(stage, 3840).sum())
    print(
        f"\ntriplets of 8 h at 3,840 steps per epoch, {hits} hits: {1e3 * ours:.1f} ms, "
        f"{theirs / ours:.0f} times as fast as the published loop"
    )
    assert theirs / ours > 10


def test_intrusions_and_matching_at_all_resolutions():
    stages = night(2)
    rng = np.random.default_rng(3)
    marked = pd.DataFrame({"onset_s": rng.uniform(600, 28000, 180), "duration_s": rng.uniform(3, 15, 180)})

    def all_resolutions() -> None:
        for f, stage in stages.items():
            match_events(wake_intrusions(stage, f), marked)

    took = fastest(all_resolutions)
    read = fastest(lambda: [np.flatnonzero(stage == 0) for stage in stages.values()])
    print(
        f"\narousal rule and matching of a night at 14 resolutions: {1e3 * took:.0f} ms, "
        f"{took / read:.1f} times as long as finding W"
    )
    assert took / read < 20


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> tuple[pd.DataFrame, Path]:
    """Return the split table and the stores of 100 nights: four different ones, linked again and again."""
    folder = tmp_path_factory.mktemp("scores")
    rng = np.random.default_rng(5)
    store = folder / "abc" / "000.zarr"
    for number in range(4):
        p = rng.dirichlet(np.full(5, 0.3), EPOCHS * 30).astype(np.float32)
        write_scores(store, f"night{number:03d}", StoredScores(night(number), p, 30), {}, {})
    for number in range(4, N_NIGHTS):
        (store / f"night{number:03d}").symlink_to(store / f"night{number % 4:03d}")
    names = [f"night{number:03d}" for number in range(N_NIGHTS)]
    about = {"cohort": "abc", "shard": "000", "recording": names, "person": names, "group": names, "split": "test"}
    return pd.DataFrame(about), folder


def test_all_features_of_100_nights(stores, tmp_path):
    split, folder = stores
    parts = tmp_path / "parts"
    parts.mkdir()
    start = time.perf_counter()
    with dask_scheduler(Run(threads=2)):
        rows = write_features(split, folder, Features(), tmp_path / "made.parquet", parts)
    took, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime  # of the processes that did it; wall time is twice less where nothing else runs
    print(f"\nall features of {N_NIGHTS} nights at 14 resolutions: {took:.0f} s of wall, {cpu:.0f} s of CPU on 2 cores")
    assert rows == N_NIGHTS * len(RESOLUTIONS)


MEMORY = """
import resource, sys
import pandas as pd
from pathlib import Path
from hypnoflow.config.schema import Features, Run
from hypnoflow.features.rows import write_features
from hypnoflow.dask import dask_scheduler
split, scores, out, parts = sys.argv[1:]
Path(parts).mkdir()
with dask_scheduler(Run(threads=1)):
    write_features(pd.read_parquet(split), Path(scores), Features(), Path(out), Path(parts))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_is_flat_in_the_number_of_nights(stores, tmp_path):
    split, folder = stores
    peaks = {}
    for n in (20, N_NIGHTS):
        split.iloc[:n].to_parquet(tmp_path / "split.parquet")
        places = [tmp_path / "split.parquet", folder, tmp_path / "out.pq", tmp_path / f"parts{n}"]
        command = [sys.executable, "-c", MEMORY, *map(str, places)]
        found = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ))
        peaks[n] = float(found.stdout.split()[-1])
    print("\npeak memory of one process: " + ", ".join(f"{n} nights {mb:.0f} MB" for n, mb in peaks.items()))
    assert peaks[N_NIGHTS] < 1.2 * peaks[20]

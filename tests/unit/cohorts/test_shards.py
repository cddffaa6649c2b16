"""What must be true of shards: never too large, made of neighbours, and left alone by what is added elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from hypnoflow.cohorts.layouts import shards
from hypnoflow.cohorts.layouts.shards import assign_shards

SHHS = [f"shhs1-{number}" for number in range(200001, 205805)]


def contents(shards: dict[str, str]) -> set[tuple[str, frozenset[str]]]:
    """Return each shard's name with its recordings, which is what one job works on."""
    recordings = defaultdict(set)
    for recording, shard in shards.items():
        recordings[shard].add(recording)
    return {(shard, frozenset(names)) for shard, names in recordings.items()}


def drawn(rng: np.random.Generator, n: int) -> list[str]:
    return [f"n{number:06d}" for number in rng.choice(10**6, n, replace=False)]


@pytest.mark.parametrize("size", [1, 7, 50, 100])
def test_shards_have_at_most_the_size_and_about_half_of_it_on_average(size):
    counts = Counter(assign_shards(SHHS, size).values())
    assert max(counts.values()) <= size
    # n > k names are cut at one of n - 1 places: L(n) = 2 mean(L(1..n-1)) and L(n <= k) = 1 give L(n) = 2 n / (k + 1).
    assert len(counts) == pytest.approx(2 * len(SHHS) / (size + 1), rel=0.15)


def test_a_shard_is_a_run_of_neighbours_named_by_digits():
    shards = assign_shards(SHHS, 50)
    in_order = [shards[name] for name in sorted(SHHS)]
    runs = [shard for i, shard in enumerate(in_order) if i == 0 or shard != in_order[i - 1]]
    assert len(runs) == len(set(runs))
    assert runs[0] == "000"
    assert all(shard.isascii() and shard.isdecimal() for shard in runs)


def test_the_order_of_the_files_does_not_matter():
    mixed = np.random.default_rng(3).permutation(SHHS).tolist()
    assert assign_shards(mixed, 50) == assign_shards(SHHS, 50)


def test_a_cohort_that_fits_is_one_shard_and_an_empty_one_none():
    assert set(assign_shards(SHHS[:50], 50).values()) == {"000"}
    assert assign_shards([], 50) == {}


def test_one_added_recording_changes_two_shards_at_most():
    rng = np.random.default_rng(1)
    for _ in range(200):
        names, size = drawn(rng, int(rng.integers(1, 300))), int(rng.integers(1, 40))
        before = contents(assign_shards(names, size))
        after = contents(assign_shards([*names, f"n{rng.integers(10**6):06d}x"], size))
        assert len(after - before) <= 2


def test_a_visit_added_behind_the_others_leaves_them_alone():
    second = [name.replace("shhs1", "shhs2") for name in SHHS[:2651]]
    before, after = contents(assign_shards(SHHS, 50)), contents(assign_shards(SHHS + second, 50))
    changed = {name for _, names in after - before for name in names}
    assert len(changed - set(second)) <= 100  # two shards' worth, at the seam


def test_shards_whose_hashes_end_alike_have_names_of_their_own(monkeypatch):
    monkeypatch.setattr(shards, "_rank", lambda name: (f"{int(name):014d}123456", name))
    assigned = assign_shards([f"{i:02d}" for i in range(1, 21)], 2)
    assert max(Counter(assigned.values()).values()) <= 2
    assert assigned["01"] == "000"

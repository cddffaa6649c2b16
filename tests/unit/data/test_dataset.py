"""The windows of an update: the same whatever number of processes, parts and workers they are spread over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tiny_training import write_store
from torch.utils.data import DataLoader

from hypnoflow.data.dataset import Plan, WindowBatches
from hypnoflow.data.recordings import SignalReader, open_stored
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.models.contract import Input

SIZE = 8


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> WindowSampler:
    store = tmp_path_factory.mktemp("stores") / "000.zarr"
    write_store(store, ["a", "b", "c"])
    recordings = [open_stored(store, "cohort", name, name) for name in "abc"]
    recordings[0].stage[:7] = 9  # so that parts of a batch hold different numbers of scored labels
    return WindowSampler(recordings, 4, 0.5)


def plan(**more: int) -> Plan:
    return Plan(7, ("windows", 1), SIZE, **more)


def take(sampler: WindowSampler, n: int, workers: int = 0, **more: int):
    batches = WindowBatches(sampler, SignalReader(), 4, plan(**more))
    context = "spawn" if workers else None
    found = iter(DataLoader(batches, batch_size=None, num_workers=workers, multiprocessing_context=context))
    return [next(found) for _ in range(n)]


def same(one, two) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one[:3], two[:3], strict=True)) and one[3] == two[3]


def test_windows_depend_on_seed_names_and_update_alone(sampler):
    def windows(update: int, seed: int = 7, name: int = 1):
        return [
            (w.recording.recording, w.first_epoch, w.channels)
            for w in Plan(seed, ("windows", name), SIZE).windows(sampler, update)
        ]

    first = [windows(update) for update in range(5)]
    assert [windows(update) for update in (4, 2, 0, 1, 3)] == [first[u] for u in (4, 2, 0, 1, 3)]
    assert len({str(each) for each in first}) == 5
    assert windows(0, seed=8) != first[0]
    assert windows(0, name=2) != first[0]


def test_beginning_at_an_update_gives_what_follows_it(sampler):
    whole, later = take(sampler, 6), take(sampler, 2, first_update=4)
    assert all(same(one, two) for one, two in zip(whole[4:], later, strict=True))


@pytest.mark.parametrize("world, accumulate", [(2, 1), (4, 1), (1, 2), (2, 2), (1, 8)])
def test_shares_of_all_processes_and_parts_are_the_batch_of_one_process(sampler, world, accumulate):
    (x, present, labels, n), *_ = take(sampler, 1)
    assert n == int((labels != 9).sum())
    assert present.all()
    shares = [take(sampler, accumulate, accumulate=accumulate, rank=rank, world=world) for rank in range(world)]
    in_order = [shares[rank][part] for part in range(accumulate) for rank in range(world)]
    assert torch.equal(torch.cat([share[0] for share in in_order]), x)
    assert torch.equal(torch.cat([share[2] for share in in_order]), labels)
    assert {share[3] for share in in_order} == {n}
    assert {len(share[0]) for share in in_order} == {SIZE // (world * accumulate)}


def test_processes_draw_different_windows_with_as_many_channels(sampler):
    one, two = (take(sampler, 5, rank=rank, world=2) for rank in (0, 1))
    assert [len(a[0][0]) for a in one] == [len(b[0][0]) for b in two]
    assert not any(torch.equal(a[0], b[0]) for a, b in zip(one, two, strict=True))


def test_worker_processes_change_nothing(sampler):
    alone, spread = take(sampler, 7, accumulate=2), take(sampler, 7, workers=2, accumulate=2)
    assert all(same(one, two) for one, two in zip(alone, spread, strict=True))


def test_reader_travels_without_what_it_holds(sampler):
    reader = SignalReader(cache_mb=100, threads=2)
    window = reader.window(sampler.recordings[0], 0, 2)
    make, options = reader.__reduce__()
    assert options == (100, 2, Input())
    assert np.array_equal(make(*options).window(sampler.recordings[0], 0, 2), window)
    assert isinstance(sampler.recordings[0].store, Path)

"""Training at published size on a GPU: bfloat16 and compiled against plain, and what the loader costs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from time import perf_counter

import lightning as L
import pytest
import torch
from tests.tiny_training import write_store
from torch.utils.data import DataLoader

from hypnoflow.config.train import Train
from hypnoflow.data.dataset import Plan, WindowBatches
from hypnoflow.data.recordings import SignalReader, StoredRecording, open_stored
from hypnoflow.data.sampler import WindowSampler
from hypnoflow.models import build_model
from hypnoflow.models.contract import summed_cross_entropy
from hypnoflow.models.parts.size import UNetSize
from hypnoflow.train.objective import optimiser_and_schedule

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

PUBLISHED = UNetSize(depth=12, first_filters=5, complexity=1.67, attention_hidden=40)
OPTIONS = Train(batch_size=64, window_epochs=35, label_steps=1, learning_rate=1e-5)
STEPS, N_CHANNELS = 20, 4


class Steps:
    """Updates of the network on given batches, as the training loop does them."""

    def __init__(self, precision: str, *, compiled: bool):
        self.fabric = L.Fabric(accelerator="gpu", devices=1, precision=precision)  # type: ignore[arg-type]
        torch.manual_seed(1)
        model = build_model("anysleep", **PUBLISHED.model_dump())
        optimizer, _ = optimiser_and_schedule(model, OPTIONS)
        self.network, self.optimizer = self.fabric.setup(torch.compile(model) if compiled else model, optimizer)
        self.network.train()

    def __call__(self, batch) -> torch.Tensor:
        x, *_, labels, n_scored = batch
        x, labels = self.fabric.to_device((x, labels))
        loss = summed_cross_entropy(self.network(x, 1), labels) / n_scored
        self.fabric.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach()


def step_s(step: Steps, batches) -> float:
    """Return the seconds of a step, after as many to warm up."""
    for _ in range(STEPS):
        step(next(batches))
    torch.cuda.synchronize()
    start = perf_counter()
    for _ in range(STEPS):
        step(next(batches))
    torch.cuda.synchronize()
    return (perf_counter() - start) / STEPS


def for_ever(batch):
    while True:
        yield batch


def random_batch():
    x = torch.randn(OPTIONS.batch_size, N_CHANNELS, OPTIONS.window_epochs * 3840, device="cuda")
    return x, torch.randint(5, (OPTIONS.batch_size, OPTIONS.window_epochs), device="cuda"), 64 * 35


def test_bfloat16_and_compiled_against_plain():
    batch = random_batch()
    plain = step_s(Steps("32-true", compiled=False), for_ever(batch))
    fast = step_s(Steps("bf16-mixed", compiled=True), for_ever(batch))
    print(f"\nbatch of 64 x 17.5 min x {N_CHANNELS} channels: {1e3 * plain:.0f} ms plain, {1e3 * fast:.0f} ms fast")
    print(f"{plain / fast:.2f} times")
    assert plain / fast >= 2


@pytest.fixture
def stored(tmp_path: Path) -> list[StoredRecording]:
    names = [f"r{i}" for i in range(8)]
    write_store(tmp_path / "000.zarr", names, repeats=20)
    return [open_stored(tmp_path / "000.zarr", "c", name, name) for name in names]


def test_step_with_the_loader_against_a_batch_in_memory(stored):
    sampler = WindowSampler(stored, OPTIONS.window_epochs, 0.5)
    plan = Plan(1, ("windows",), OPTIONS.batch_size)
    batches = WindowBatches(sampler, SignalReader(4000, 1), OPTIONS.window_epochs, plan)
    loader = DataLoader(batches, batch_size=None, num_workers=4, multiprocessing_context="spawn", pin_memory=True)
    step = Steps("bf16-mixed", compiled=False)
    loaded = step_s(step, iter(loader))
    # The same numbers of channels, from memory: what is drawn for these updates, on the GPU already.
    held = [(x.cuda(), labels.cuda(), n) for x, _, labels, n in islice(batches, 2 * STEPS)]
    cached = step_s(step, iter(held))
    print(f"\n{1e3 * cached:.0f} ms a step on one batch, {1e3 * loaded:.0f} ms with the loader")
    assert loaded / cached <= 1.1

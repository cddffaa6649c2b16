"""Scoring whole nights against a plain, written-out forward pass of the same weights."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from time import perf_counter

import pytest
import torch
from torch.nn import functional as F

from hypnoflow.models import build_model
from hypnoflow.types import RESOLUTIONS

EPOCHS = 960  # eight hours


def plain(model, x, f):
    """AnySleep's forward pass as the paper draws it, one tensor per operation; shape (1, channel, sample)."""
    n_channels = x.shape[1]
    levels, y = [], x.reshape(n_channels, 1, -1)
    for encoder in model.encoders:
        y = encoder.enc(y)
        y = F.pad(y, (1, 0)) if y.shape[-1] % 2 else y
        levels.append(y)
        y = F.max_pool1d(y, 2)
    levels.append(model.connector(y))
    fused = []
    for level, attention in zip(levels, model.skip_connections, strict=True):
        weight = attention.mlp(level.mean(-1)).view(1, n_channels).softmax(1)
        fused.append(torch.einsum("bc,bcft->bft", weight, level.view(1, n_channels, *level.shape[1:])))
    y = fused.pop()
    for decoder in model.decoders:
        skip = fused.pop()
        y = decoder.dec1(y)
        excess = y.shape[-1] - skip.shape[-1]
        front = excess // 2 + excess % 2
        y = decoder.dec2(torch.cat([skip, y[..., front : front + skip.shape[-1]]], dim=1))
    dense, tanh, _, *head = model.segment_classifier.segment_classifier
    y = F.avg_pool1d(tanh(dense(y)), 3840 // f)
    for layer in head:
        y = layer(y)
    return y.transpose(1, 2)


def settled_model():
    """Return AnySleep at published size whose batch norms have seen noise, so that features have a usual spread."""
    torch.manual_seed(0)
    model = build_model("anysleep")
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm1d):
                layer.momentum = None
        for i in range(3):
            model(night(20, 4, seed=i))
    return model.eval()


def night(epochs, channels, seed=0):
    return torch.randn(1, channels, epochs * 3840, generator=torch.Generator().manual_seed(seed))


def seconds(work):
    start = perf_counter()
    work()
    return perf_counter() - start


def ratio(slow, fast, times=3):
    """Return how often `fast` fits into `slow`, from the best of alternating runs, and both times in s."""
    each = [(seconds(slow), seconds(fast)) for _ in range(times)]
    a, b = (min(column) for column in zip(*each, strict=True))
    return a / b, a, b


@pytest.fixture(scope="module")
def model():
    return settled_model()


@torch.inference_mode()
def test_one_resolution(model):
    for channels in (1, 2, 3, 6):
        x = night(EPOCHS, channels)
        times, slow, fast = ratio(lambda x=x: plain(model, x, 1), lambda x=x: model(x, 1))
        print(f"\n8 h x {channels} channels at 30 s: plain {slow:.2f} s, ours {fast:.2f} s, {times:.2f} times", end="")
        assert times >= 2
    print()


@torch.inference_mode()
def test_all_resolutions(model):
    x = night(EPOCHS, 3)
    times, slow, fast = ratio(
        lambda: [plain(model, x, f) for f in RESOLUTIONS], lambda: model.logits(x, None, RESOLUTIONS), 1
    )
    wanted = {f: plain(model, x, f) for f in RESOLUTIONS}
    found = model.logits(x, None, RESOLUTIONS)
    worst = max(float((found[f] - wanted[f]).abs().max()) for f in RESOLUTIONS)
    spread = min(float(wanted[f].std()) for f in RESOLUTIONS)
    print(f"\n14 resolutions of 8 h x 3 channels: 14 passes {slow:.1f} s, ours {fast:.2f} s, {times:.1f} times")
    print(f"largest difference of a logit {worst:.1e}; logits spread by {spread:.2g}")
    assert worst <= 1e-4
    double, x = settled_model().double(), x[..., : 120 * 3840].double()
    assert float((double(x, 30) - plain(double, x, 30)).abs().max()) < 1e-10
    assert times >= 20


@torch.inference_mode()
def test_all_subsets_of_six_channels(model):
    x = night(240, 6)
    subsets = [s for n in range(1, 7) for s in combinations(range(6), n)]
    assert len(subsets) == 63
    times, slow, fast = ratio(
        lambda: [plain(model, x[:, list(s)], 1) for s in subsets], lambda: list(model.subsets(x, subsets, [1])), 1
    )
    print(f"\n63 subsets of 6 channels, 2 h: {slow:.1f} s plain, {fast:.1f} s ours, {1 / times:.2f} of the time")
    assert 1 / times <= 0.4


PEAK = """
import json, sys, torch
from tests.bench.test_bench_inference import night, plain, settled_model
model, x = settled_model(), night(int(sys.argv[2]), int(sys.argv[3]))
def peak(): return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024
before = peak()
with torch.inference_mode():
    plain(model, x, 1) if sys.argv[1] == "plain" else model(x, 1)
print(json.dumps({"before": before, "peak": peak(), "input": x.nbytes / 2**20}))
"""


def memory(how, epochs, channels):
    args = [sys.executable, "-c", PEAK, how, str(epochs), str(channels)]
    return json.loads(subprocess.run(args, check=True, capture_output=True, text=True).stdout)


def test_memory():
    slow, ours = memory("plain", EPOCHS, 6), memory("ours", EPOCHS, 6)
    print(f"\n8 h x 6 channels: process peak {slow['peak']:.0f} MB plain, {ours['peak']:.0f} MB ours")
    extra = (ours["peak"] - ours["before"]) / (slow["peak"] - slow["before"])
    print(f"{ours['peak'] / slow['peak']:.2f} of the process's, {extra:.2f} of what the call adds")
    one = memory("ours", EPOCHS, 1)
    print(f"a channel more adds {(ours['peak'] - one['peak']) / 5:.1f} MB, of which input {one['input']:.1f} MB")
    assert ours["peak"] <= 0.25 * slow["peak"]
    assert ours["peak"] - one["peak"] <= 1.25 * (ours["input"] - one["input"])


def test_a_day_of_31_channels():
    found = memory("ours", 2880, 31)
    print(f"\n24 h x 31 channels: {found['peak']:.0f} MB, of which input {found['input']:.0f} MB")

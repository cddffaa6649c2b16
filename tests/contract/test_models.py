"""Every registered network keeps the contract; the published AnySleep is what the paper and its weights say."""

from __future__ import annotations

import re

import pytest
import torch
from tests.numerics import in_double, rounding
from torch import Tensor
from torch.nn import functional as F

from hypnoflow.checkpoints.checkpoint import Trained, load_checkpoint, save_checkpoint
from hypnoflow.models import build_model
from hypnoflow.models.contract import Classifier
from hypnoflow.models.parts import tiles
from hypnoflow.models.parts.blocks import filter_counts
from hypnoflow.models.parts.size import UNetSize

FAMILY = ["anysleep", "anysleep-early", "anysleep-late", "usleep"]
MODELS = pytest.mark.parametrize("name", FAMILY)
EPOCH = 3840
SMALL = {"depth": 12, "complexity": 0.1, "attention_hidden": 8}
WIDTHS = [6, 9, 11, 15, 20, 28, 40, 55, 77, 108, 152, 214, 302]  # papers.md, section 1.3
PARTS = {"encoders": 596_196, "connector": 582_558, "decoders": 1_935_422, "skip_connections": 43_573,
         "segment_classifier": 107}  # fmt: skip
KEYS = (  # papers.md, section 1.11
    r"encoders\.(\d|1[01])\.enc\.[02]\.\w+",
    r"connector\.[02]\.\w+",
    r"decoders\.(\d|1[01])\.dec1\.[13]\.\w+",
    r"decoders\.(\d|1[01])\.dec2\.[02]\.\w+",
    r"skip_connections\.(\d|1[0-2])\.mlp\.[013]\.\w+",
    r"segment_classifier\.segment_classifier\.[035]\.\w+",
)


def unsettle(model: Classifier) -> Classifier:
    """Give every weight and every running statistic of a network a value of its own, and evaluate."""
    random = torch.Generator().manual_seed(1)
    for key, value in model.state_dict().items():
        if key.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=random))
        elif key.endswith(("running_mean", "bias")):
            value.copy_(0.2 * torch.randn(value.shape, generator=random))
        elif value.dim() == 1:
            value.copy_(0.5 + torch.rand(value.shape, generator=random))
    return model.eval()


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def networks() -> dict[str, Classifier]:
    torch.manual_seed(1)
    return {name: unsettle(build_model(name, **SMALL)) for name in FAMILY}


@pytest.fixture(scope="module")
def published() -> Classifier:
    torch.manual_seed(2)
    return unsettle(build_model("anysleep"))


def signals(batch: int, channels: int, epochs: int) -> Tensor:
    return torch.randn(batch, channels, epochs * EPOCH, generator=torch.Generator().manual_seed(3))


@MODELS
@pytest.mark.parametrize("epochs", [2, 5, 9])
@pytest.mark.parametrize("channels", [1, 2, 7])
def test_any_channels_and_lengths_give_finite_logits_per_step_and_stage(networks, name, channels, epochs):
    model = networks[name]
    if not model.any_channels and channels != 2:
        pytest.skip("takes two channels only")
    with torch.inference_mode():
        found = model.logits(signals(2, channels, epochs), None, [1, 4, 30, 384])
    for f, logits in found.items():
        assert logits.shape == (2, epochs * f, 5)
        assert torch.isfinite(logits).all()
        assert logits.logsumexp(-1).abs().max() > 0.01  # raw, not log-probabilities


@MODELS
def test_logits_depend_on_the_signal_and_batch_items_do_not_mix_when_scoring(networks, name):
    model, x = in_double(networks[name]), signals(2, 2, 3).double()
    with torch.inference_mode():
        both, alone = model(x, 4), model(x[:1], 4)
    assert torch.allclose(both[:1], alone, atol=1e-9)
    assert not torch.allclose(both[0], both[1], atol=1e-3)


@MODELS
def test_order_of_channels_does_not_matter_to_a_channel_agnostic_network(networks, name):
    model = in_double(networks[name])
    if not model.any_channels:
        pytest.skip("takes its channels in order")
    x = signals(1, 5, 3).double()
    with torch.inference_mode():
        assert torch.allclose(model(x, 8), model(x[:, [3, 0, 4, 1, 2]], 8), atol=1e-9)
        assert not torch.allclose(model(x, 8), model(x[:, :4], 8), atol=1e-3)


def at_once(model: Classifier, x: Tensor, f: int) -> Tensor:
    """Score by the network's own layers, as in training; its batch norms still use running statistics."""
    model.training = True  # of the network alone
    try:
        return model(x, f).detach()
    finally:
        model.eval()


@MODELS
@pytest.mark.parametrize("numpy_is_faster", [True, False])  # which of two kernels is taken depends on the machine
def test_in_single_precision_both_ways_are_as_exact_as_rounding_allows(networks, name, numpy_is_faster, monkeypatch):
    monkeypatch.setattr(tiles, "_numpy_is_faster", lambda: numpy_is_faster)
    model, x = networks[name], signals(2, 2, 3)
    exact = in_double(model)
    with torch.inference_mode():
        for f in (1, 16, 128):
            wanted = at_once(exact, x.double(), f)
            bound = rounding(lambda f=f: at_once(exact, x.double(), f))
            assert bound < 1e-2 * wanted.std()
            for found in (model(x, f), at_once(model, x, f)):
                assert found.dtype == torch.float32
                torch.testing.assert_close(found.double(), wanted, rtol=0, atol=bound)


@MODELS
def test_scoring_twice_in_one_process_gives_the_same(networks, name):
    x = signals(1, 2, 3)
    with torch.inference_mode():
        assert torch.equal(networks[name](x, 16), networks[name](x, 16))


@MODELS
def test_reading_out_many_resolutions_at_once_equals_one_at_a_time(networks, name):
    model, x, steps = in_double(networks[name]), signals(1, 2, 3).double(), [1, 2, 128, 3840]
    with torch.inference_mode():
        together = model.logits(x, None, steps)
        assert sorted(together) == steps
        for f in steps:
            assert torch.allclose(together[f], model(x, f), atol=1e-9)


@MODELS
@pytest.mark.parametrize("steps", [7, 0, -1, 7680])
def test_steps_that_do_not_divide_an_epoch_are_refused(networks, name, steps):
    with torch.inference_mode(), pytest.raises(ValueError, match="3840"):
        networks[name](signals(1, 2, 1), steps)


@MODELS
def test_saved_network_loads_and_scores_the_same(networks, name, tmp_path):
    model, x = networks[name], signals(1, 2, 3)
    about = {"version": 1, "clip_iqr": 20.0}
    path = tmp_path / "net.pt"
    save_checkpoint(
        path, Trained(name, name, model.options), model.state_dict(), preprocessing=about, training={"seed": 4}
    )
    loaded = load_checkpoint(path)
    assert not loaded.model.training
    assert loaded.facts["preprocessing"] == about
    assert loaded.facts["training"] == {"seed": 4}
    found, wanted = loaded.model.state_dict(), model.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    with torch.inference_mode():
        both = (in_double(each)(x.double(), 4) for each in (loaded.model, model))
        assert torch.allclose(*both, atol=1e-9)


@MODELS
def test_every_parameter_learns(name):
    torch.manual_seed(1)
    model = build_model(name, **{**SMALL, "depth": 6}).train()
    model(signals(3, 2, 2), 2).square().sum().backward()
    still = {key for key, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()}
    assert still == set()


# --- AnySleep as published -----------------------------------------------------------------------------------


def test_published_anysleep_has_3157856_parameters_in_382_tensors(published):
    assert sum(p.numel() for p in published.parameters()) == 3_157_856
    assert len(published.state_dict()) == 382


@pytest.mark.parametrize("part", PARTS)
def test_published_anysleep_has_the_papers_parameters_in_each_part(published, part):
    assert sum(p.numel() for p in getattr(published, part).parameters()) == PARTS[part]


def test_published_anysleep_has_the_keys_of_the_released_weights(published):
    keys = list(published.state_dict())
    assert [key for key in keys if not any(re.fullmatch(pattern, key) for pattern in KEYS)] == []
    assert all(any(re.fullmatch(pattern, key) for key in keys) for pattern in KEYS)


def test_filter_widths_are_those_of_the_paper(published):
    state = published.state_dict()
    assert filter_counts(UNetSize(depth=12, first_filters=5, complexity=1.67)) == WIDTHS
    assert [state[f"encoders.{i}.enc.0.weight"].shape[0] for i in range(12)] == WIDTHS[:12]
    assert state["connector.0.weight"].shape == (302, 214, 9)
    assert [state[f"decoders.{i}.dec2.0.weight"].shape[0] for i in range(12)] == WIDTHS[11::-1]
    assert state["decoders.0.dec1.1.weight"].shape == (214, 302, 2)
    assert state["skip_connections.12.mlp.0.weight"].shape == (40, 302)


def norm(x: Tensor, state: dict[str, Tensor], key: str) -> Tensor:
    shape = (1, -1, 1) if x.dim() == 3 else (1, -1)
    mean, var, weight, bias = (
        state[f"{key}.{n}"].view(shape) for n in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias


def block(x: Tensor, state: dict[str, Tensor], key: str) -> Tensor:
    """Convolution of width 9, ELU, batch norm."""
    padded = F.pad(x, (4, 4))
    return norm(F.elu(F.conv1d(padded, state[f"{key}.0.weight"], state[f"{key}.0.bias"])), state, f"{key}.2")


def attend(x: Tensor, state: dict[str, Tensor], key: str) -> Tensor:
    """Channels (channel, feature, sample) to their weighted sum (1, feature, sample)."""
    hidden = x.mean(2) @ state[f"{key}.0.weight"].T + state[f"{key}.0.bias"]
    score = norm(hidden, state, f"{key}.1").clamp(min=0) @ state[f"{key}.3.weight"].T + state[f"{key}.3.bias"]
    weight = score.exp() / score.exp().sum(0)
    return (weight[:, :, None] * x).sum(0, keepdim=True)


def decode(x: Tensor, skip: Tensor, state: dict[str, Tensor], key: str) -> Tensor:
    doubled = F.pad(x.repeat_interleave(2, dim=2), (0, 1))
    up = norm(
        F.elu(F.conv1d(doubled, state[f"{key}.dec1.1.weight"], state[f"{key}.dec1.1.bias"])), state, f"{key}.dec1.3"
    )
    excess = up.shape[2] - skip.shape[2]
    front = excess // 2 + excess % 2
    up = up[:, :, front : up.shape[2] - (excess - front)]
    return block(torch.cat([skip, up], 1), state, f"{key}.dec2")


def by_hand(state: dict[str, Tensor], x: Tensor, f: int) -> Tensor:
    """Recompute papers.md, section 1.3, for one recording, shape (channel, sample), from the weights alone."""
    skips = []
    x = x[:, None]
    for i in range(12):
        x = block(x, state, f"encoders.{i}.enc")
        if x.shape[2] % 2:
            x = torch.cat([torch.zeros_like(x[:, :, :1]), x], 2)
        skips.append(attend(x, state, f"skip_connections.{i}.mlp"))
        x = torch.maximum(x[:, :, 0::2], x[:, :, 1::2])
    x = attend(block(x, state, "connector"), state, "skip_connections.12.mlp")
    for i in range(12):
        x = decode(x, skips.pop(), state, f"decoders.{i}")
    head = "segment_classifier.segment_classifier"
    x = torch.tanh(F.conv1d(x, state[f"{head}.0.weight"], state[f"{head}.0.bias"]))
    width = EPOCH // f
    x = x[:, :, : x.shape[2] // width * width].unflatten(2, (-1, width)).mean(3)
    x = F.elu(F.conv1d(x, state[f"{head}.3.weight"], state[f"{head}.3.bias"]))
    return F.conv1d(x, state[f"{head}.5.weight"], state[f"{head}.5.bias"]).transpose(1, 2)


@pytest.mark.parametrize("channels, epochs", [(1, 1), (2, 3), (3, 7)])
def test_forward_pass_equals_the_papers_equations_computed_by_hand(published, channels, epochs):
    model, x = in_double(published), signals(1, channels, epochs).double()
    with torch.inference_mode():
        found = model.logits(x, None, [1, 16, 3840])
        for f, logits in found.items():
            wanted = by_hand(model.state_dict(), x[0], f)
            assert wanted.abs().max() > 0.1
            assert torch.allclose(logits, wanted, atol=1e-9, rtol=1e-9)


def test_fusion_channel_by_channel_equals_the_fusion_used_in_training(published):
    model, x = in_double(published), signals(2, 5, 3).double()
    with torch.inference_mode():
        assert torch.allclose(model(x, 16), at_once(model, x, 16), atol=1e-9)


def test_one_checkpoint_serves_every_resolution_only_the_pooling_differs(published):
    x = signals(1, 2, 2)
    head = published.segment_classifier.segment_classifier
    kept = []
    hook = head[1].register_forward_hook(lambda *args: kept.append(args[2]))
    published.logits(x, None, [1, 64, 3840])  # with gradients: the network's own modules
    hook.remove()
    assert len(kept) == 1  # one pass for all


def test_kaiming_initialisation_has_the_fan_out_scale():
    torch.manual_seed(1)
    state = build_model("anysleep").state_dict()
    weight = state["connector.0.weight"]  # (302, 214, 9): SD sqrt(2 / (302 * 9))
    assert weight.std() == pytest.approx((2 / (302 * 9)) ** 0.5, rel=0.02)
    assert state["skip_connections.0.mlp.0.bias"].abs().max() == 0

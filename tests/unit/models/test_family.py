"""U-Sleep and the early- and late-fusion networks: sizes, keys and forward pass as published."""

from __future__ import annotations

import re

import pytest
import torch
from tests.contract.test_models import at_once, block, decode, norm, unsettle
from tests.numerics import in_double, rounding
from torch import Tensor
from torch.nn import functional as F

from hypnoflow.models import build_model
from hypnoflow.models.contract import Classifier

EPOCH = 3840
# papers.md, sections 1.3 and 1.11: parameters, and tensors. The attention adds to U-Sleep's 265 tensors two
# convolutions, three batch norms' worth of five and two linear layers: 9 for the encoder, 9 for each perceptron.
PARAMETERS = {"usleep": 3_114_337, "anysleep-early": 3_131_601, "anysleep-late": 3_137_356}
TENSORS = {"usleep": 265, "anysleep-early": 265 + 9 + 4 * 9, "anysleep-late": 265 + 9 + 9}
UNET = (
    r"encoders\.(\d|1[01])\.enc\.[02]\.\w+",
    r"connector\.[02]\.\w+",
    r"decoders\.(\d|1[01])\.dec1\.[13]\.\w+",
    r"decoders\.(\d|1[01])\.dec2\.[02]\.\w+",
    r"segment_classifier\.segment_classifier\.[035]\.\w+",
)
ATTENTION = (r"channel_attention\.encoder\.[023]\.\w+", r"channel_attention\.mlps\.[0-3]\.[023]\.\w+")
NAMES = pytest.mark.parametrize("name", PARAMETERS)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def published() -> dict[str, Classifier]:
    torch.manual_seed(2)
    return {name: unsettle(build_model(name)) for name in PARAMETERS}


def signals(batch: int, channels: int, samples: int) -> Tensor:
    return torch.randn(batch, channels, samples, generator=torch.Generator().manual_seed(3))


@NAMES
def test_parameters_and_tensors_are_as_many_as_published(published, name):
    assert sum(p.numel() for p in published[name].parameters()) == PARAMETERS[name]
    assert len(published[name].state_dict()) == TENSORS[name]


@NAMES
def test_keys_are_those_of_the_published_files(published, name):
    keys = list(published[name].state_dict())
    patterns = UNET if name == "usleep" else UNET + ATTENTION
    assert [key for key in keys if not any(re.fullmatch(pattern, key) for pattern in patterns)] == []
    assert all(any(re.fullmatch(pattern, key) for key in keys) for pattern in patterns)


def test_shapes_that_tell_the_networks_apart(published):
    early, late = (published[f"anysleep-{fusion}"].state_dict() for fusion in ("early", "late"))
    assert published["usleep"].state_dict()["encoders.0.enc.0.weight"].shape == (6, 2, 9)
    assert early["encoders.0.enc.0.weight"].shape == (6, 4, 9)
    assert early["channel_attention.encoder.0.weight"].shape == (32, 1, 64)
    assert late["channel_attention.encoder.0.weight"].shape == (32, 6, 64)
    assert {k.split(".")[2] for k in early if k.startswith("channel_attention.mlps")} == set("0123")
    assert {k.split(".")[2] for k in late if k.startswith("channel_attention.mlps")} == {"0"}
    for state in (early, late):
        assert state["channel_attention.encoder.3.weight"].shape == (32, 32, 9)
        assert state["channel_attention.mlps.0.0.weight"].shape == (40, 32)
        assert state["channel_attention.mlps.0.2.running_mean"].shape == (40,)  # ELU before the batch norm
        assert state["channel_attention.mlps.0.3.weight"].shape == (1, 40)


def strided(x: Tensor, state: dict[str, Tensor], key: str, stride: int) -> Tensor:
    """Convolve without padding, by writing every window out."""
    weight = state[f"{key}.weight"]
    windows = x.unfold(2, weight.shape[2], stride)  # (row, feature, step, tap)
    return torch.einsum("rfst,oft->ros", windows, weight) + state[f"{key}.bias"][:, None]


def weights_by_hand(x: Tensor, state: dict[str, Tensor], n_outputs: int) -> list[Tensor]:
    """Rows (channel, feature, sample) to each output's weights (channel,)."""
    x = norm(F.elu(strided(x, state, "channel_attention.encoder.0", 32)), state, "channel_attention.encoder.2")
    mean = strided(x, state, "channel_attention.encoder.3", 1).mean(2)
    weights = []
    for k in range(n_outputs):
        key = f"channel_attention.mlps.{k}"
        hidden = norm(F.elu(mean @ state[f"{key}.0.weight"].T + state[f"{key}.0.bias"]), state, f"{key}.2")
        score = (hidden @ state[f"{key}.3.weight"].T + state[f"{key}.3.bias"]).squeeze(1)
        weights.append(score.exp() / score.exp().sum())
    return weights


def unet_by_hand(x: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Signals (row, signal, sample) to the features of the last decoder."""
    skips = []
    for i in range(12):
        x = block(x, state, f"encoders.{i}.enc")
        if x.shape[2] % 2:
            x = torch.cat([torch.zeros_like(x[:, :, :1]), x], 2)
        skips.append(x)
        x = torch.maximum(x[:, :, 0::2], x[:, :, 1::2])
    x = block(x, state, "connector")
    for i in range(12):
        x = decode(x, skips.pop(), state, f"decoders.{i}")
    return x


def by_hand(name: str, state: dict[str, Tensor], x: Tensor, f: int) -> Tensor:
    """Recompute papers.md, section 1.3, for one recording, shape (channel, sample), from the weights alone."""
    if name == "usleep":
        x = unet_by_hand(x[None], state)
    elif name == "anysleep-early":
        weights = weights_by_hand(x[:, None], state, 4)
        x = unet_by_hand(torch.stack([(w[:, None] * x).sum(0) for w in weights])[None], state)
    else:
        features = unet_by_hand(x[:, None], state)
        (weight,) = weights_by_hand(features, state, 1)
        x = (weight[:, None, None] * features).sum(0, keepdim=True)
    head = "segment_classifier.segment_classifier"
    x = torch.tanh(F.conv1d(x, state[f"{head}.0.weight"], state[f"{head}.0.bias"]))
    width = EPOCH // f
    x = x[:, :, : x.shape[2] // width * width].unflatten(2, (-1, width)).mean(3)
    x = F.elu(F.conv1d(x, state[f"{head}.3.weight"], state[f"{head}.3.bias"]))
    return F.conv1d(x, state[f"{head}.5.weight"], state[f"{head}.5.bias"]).transpose(1, 2)


# 3840 is halved eight times before it is odd; 4511 and 11,521 are odd at once and again on the way down.
LENGTHS = [(1, 3840), (2, 4511), (3, 11_521)]


@NAMES
@pytest.mark.parametrize("channels, samples", LENGTHS)
def test_forward_pass_equals_the_papers_equations_computed_by_hand(published, name, channels, samples):
    x = signals(1, 2 if name == "usleep" else channels, samples).double()
    model = in_double(published[name])
    with torch.inference_mode():
        found = model.logits(x, None, [1, 16, 3840])
        for f, logits in found.items():
            wanted = by_hand(name, model.state_dict(), x[0], f)
            even = samples + samples % 2  # an odd number is padded by a sample in front, and stays so
            assert logits.shape == (1, even // (EPOCH // f), 5)
            assert wanted.abs().max() > 0.1
            assert torch.allclose(logits, wanted, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ["anysleep-early", "anysleep-late"])
def test_channel_by_channel_equals_all_at_once_as_in_training(published, name):
    model, x = published[name], signals(2, 5, 2 * EPOCH)
    exact = in_double(model)
    with torch.inference_mode():
        wanted = at_once(exact, x.double(), 16)
        assert torch.allclose(exact(x.double(), 16), wanted, atol=1e-9)
        bound = rounding(lambda: at_once(exact, x.double(), 16))
        assert bound < 1e-2 * wanted.std()
        for found in (model(x, 16), at_once(model, x, 16)):
            torch.testing.assert_close(found.double(), wanted, rtol=0, atol=bound)


@pytest.mark.parametrize("name", ["anysleep-early", "anysleep-late"])
def test_the_same_channel_three_times_gives_what_it_gives_once(published, name):
    model, x = in_double(published[name]), signals(1, 1, EPOCH).double()
    with torch.inference_mode():
        assert torch.allclose(model(x, 4), model(x.expand(1, 3, -1), 4), atol=1e-9)


def test_order_of_channels_matters_to_usleep(published):
    model, x = in_double(published["usleep"]), signals(1, 2, EPOCH).double()
    with torch.inference_mode():
        assert not torch.allclose(model(x, 4), model(x.flip(1), 4), atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_usleep_refuses_other_than_two_channels(published, channels):
    with pytest.raises(ValueError, match=f"one EEG and one EOG channel, found {channels}"):
        published["usleep"](signals(1, channels, EPOCH))


@NAMES
def test_a_recording_of_ten_seconds_has_steps_of_ten_seconds(published, name):
    with torch.inference_mode():
        found = published[name].logits(signals(1, 2, 1280), None, [3, 6, 3840])
    assert [logits.shape[1] for logits in found.values()] == [1, 2, 1280]


@pytest.mark.parametrize("name", ["anysleep-early", "anysleep-late"])
def test_hidden_units_of_the_repositorys_config_give_the_counts_that_were_recomputed(name):
    found = sum(p.numel() for p in build_model(name, attention_hidden=32).parameters())
    assert found == {"anysleep-early": 3_130_449, "anysleep-late": 3_137_068}[name]  # papers.md, section 1.3

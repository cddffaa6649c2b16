"""Every subset of the channels from one pass of the encoder is the network on those channels alone."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from hypnoflow.models import build_model, declaration, models
from hypnoflow.models.parts.tiles import TiledUNet

EPOCH = 3840


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    net = build_model("anysleep", depth=12, complexity=0.1, attention_hidden=8).double()
    with torch.no_grad():
        for name, buffer in net.named_buffers():
            if buffer.is_floating_point():
                buffer += torch.rand_like(buffer) * (1.0 if name.endswith("var") else 0.3)
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return net.eval()


def signals(batch: int, channels: int, epochs: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(batch, channels, epochs * EPOCH, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("batch", "epochs"), [(1, 3), (2, 1)])
def test_every_subset_equals_the_network_on_those_channels(model, batch, epochs):
    x = signals(batch, 4, epochs)
    wanted = [subset for n in range(1, 5) for subset in combinations(range(4), n)]
    with torch.inference_mode():
        found = list(model.subsets(x, wanted, [1, 16]))
        assert len(found) == 15
        for subset, logits in zip(wanted, found, strict=True):
            alone = model.logits(x[:, list(subset)], None, [1, 16])
            for f in (1, 16):
                torch.testing.assert_close(logits[f], alone[f], rtol=0, atol=1e-9)
        assert (found[0][1] - found[-1][1]).abs().max() > 1e-6  # channels matter to this network


@pytest.mark.parametrize("name", [name for name in models.names() if declaration(name).any_channels])
def test_every_network_that_takes_any_channels_scores_subsets_as_it_scores_them_alone(name):
    torch.manual_seed(3)
    net = build_model(name, depth=4, complexity=0.1, attention_hidden=4).double().eval()
    x = signals(1, 3, 1)
    with torch.inference_mode():
        for subset, logits in zip([(1,), (0, 2)], net.subsets(x, [(1,), (0, 2)], [4]), strict=True):
            torch.testing.assert_close(logits[4], net(x[:, list(subset)], 4), rtol=0, atol=1e-9)


def test_order_and_repetition_of_subsets_change_nothing_of_each(model):
    x = signals(1, 3, 1)
    with torch.inference_mode():
        a, b, again = (out[1] for out in model.subsets(x, [(2, 0), (1,), (0, 2)], [1]))
        torch.testing.assert_close(a, again, rtol=0, atol=1e-9)
        torch.testing.assert_close(b, model(x[:, [1]], 1), rtol=0, atol=1e-9)


def test_the_encoder_runs_once_per_channel(model, monkeypatch):
    seen, encode = [], TiledUNet.encode_deep
    monkeypatch.setattr(TiledUNet, "encode_deep", lambda *args: seen.append(1) or encode(*args))
    with torch.inference_mode():
        list(model.subsets(signals(1, 3, 1), [(0,), (1,), (2,), (0, 1), (0, 1, 2)], [1]))
    assert len(seen) == 3


def test_attention_weights_are_those_of_the_fusion_at_each_level(model):
    x = signals(2, 3, 1)
    with torch.inference_mode():
        weights = model.attention_weights(x)
        assert weights.shape == (2, 13, 3)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 13, dtype=torch.float64))
        levels = model._features(x.reshape(6, 1, -1))
        for i, (fuse, level) in enumerate(zip(model.skip_connections, levels, strict=True)):
            by_hand = torch.einsum("bc,bcft->bft", weights[:, i], level.view(2, 3, *level.shape[1:]))
            torch.testing.assert_close(by_hand, fuse(level, 3))


def test_one_channel_has_all_the_weight_and_equal_channels_share_it(model):
    x = signals(1, 1, 1)
    with torch.inference_mode():
        assert (model.attention_weights(x) == 1).all()
        torch.testing.assert_close(
            model.attention_weights(x.expand(-1, 4, -1)), torch.full((1, 13, 4), 0.25, dtype=torch.float64)
        )


def test_an_empty_subset_and_training_mode_are_refused(model):
    x = signals(1, 2, 1)
    with pytest.raises(ValueError, match="at least one"), torch.inference_mode():
        list(model.subsets(x, [()], [1]))
    model.train()
    try:
        with pytest.raises(ValueError, match="evaluation mode"):
            list(model.subsets(x, [(0,)], [1]))
    finally:
        model.eval()

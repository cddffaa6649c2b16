"""The fast path of AnySleep gives what the plain network gives, in double precision to rounding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.numerics import UNIT

from hypnoflow.models import build_model
from hypnoflow.models.parts import tiles as tiles_module
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.models.parts.tiles import TiledUNet, Workers, halo, tiles
from hypnoflow.models.parts.whole_night import WholeNight
from hypnoflow.types import RESOLUTIONS

EPOCH = 3840


def network(**size):
    """Return a network whose weights, biases and running statistics all matter, in double precision."""
    torch.manual_seed(5)
    model = build_model("anysleep", **size).eval().double()
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.3)
        elif value.ndim == 1:  # scales of batch norm, some of them negative
            value.normal_(0, 1)
    return model


SMALL = {"depth": 12, "first_filters": 5, "complexity": 0.3, "attention_hidden": 6}


@pytest.fixture(scope="module")
def model():
    return network(**SMALL)


pytestmark = pytest.mark.usefixtures("one_thread")


def plain(model, x, steps):
    """Score with the network's own modules, as training does, which gradients ask for."""
    with torch.enable_grad():
        return {f: logits.detach() for f, logits in model.logits(x, None, steps).items()}


def night(n_epochs, n_channels, seed=0):
    return torch.from_numpy(
        torch.randn(1, n_channels, n_epochs * EPOCH, generator=torch.Generator().manual_seed(seed)).double().numpy()
    )


def close(a, b):
    assert a.keys() == b.keys()
    for f in a:
        assert a[f].shape == b[f].shape
        assert a[f].std() > 1e-3
        torch.testing.assert_close(a[f], b[f], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("n_epochs", "n_channels"), [(1, 1), (2, 3), (8, 1), (9, 2), (17, 2), (35, 1)])
def test_it_is_the_plain_network_at_all_resolutions(model, n_epochs, n_channels):
    x = night(n_epochs, n_channels)
    with torch.inference_mode():
        wanted = plain(model, x, RESOLUTIONS)
        close(model.logits(x, None, RESOLUTIONS), wanted)
        torch.set_num_threads(2)
        close(model.logits(x, None, RESOLUTIONS), wanted)


def test_it_is_the_plain_network_at_published_size():
    model, x = network(), night(9, 2)
    with torch.inference_mode():
        close(model.logits(x, None, (1, 30)), plain(model, x, (1, 30)))


@pytest.mark.parametrize("depth", [1, 2, 4, 7])
def test_shallow_networks_are_scored_alike(depth):
    model, x = network(**SMALL | {"depth": depth}), night(9, 2)
    with torch.inference_mode():
        close(model.logits(x, None, (1, 30)), plain(model, x, (1, 30)))


@pytest.mark.parametrize("top", range(1, 8))
@pytest.mark.parametrize("size", [EPOCH, 3 * EPOCH])
def test_neither_the_tiles_nor_their_depth_matter(model, top, size, monkeypatch):
    x = night(7, 2)
    with torch.inference_mode():
        wanted = plain(model, x, (1, 128))
        unet, kept = TiledUNet.__init__, tiles

        def init(self, *parts):
            unet(self, *parts)
            self.top = top

        monkeypatch.setattr(TiledUNet, "__init__", init)
        monkeypatch.setattr("hypnoflow.models.parts.whole_night.tiles", lambda n, depth: kept(n, depth, size))
        close(model.logits(x, None, (1, 128)), wanted)


def test_a_halo_smaller_by_a_unit_would_be_too_small(model, monkeypatch):
    x, top = night(16, 1), tiles_module.TOP
    unit = max(2**top, tiles_module.ROWS)
    with torch.inference_mode():
        wanted = plain(model, x, [3840])[3840]
        assert torch.allclose(model.logits(x, None, [3840])[3840], wanted, atol=1e-9)
        monkeypatch.setattr(tiles_module, "halo", lambda _: halo(top) - 2 * unit)
        assert not torch.allclose(model.logits(x, None, [3840])[3840], wanted, atol=1e-9)


@settings(max_examples=25)
@given(n=st.integers(1, 300), size=st.integers(1, 20), top=st.integers(1, 8))
def test_tiles_cover_the_night_once_and_lie_on_the_grid_of_their_depth(n, size, top):
    cut = tiles(n * EPOCH, top, size * EPOCH)
    assert [t.start for t in cut[1:]] == [t.stop for t in cut[:-1]]
    assert (cut[0].start, cut[-1].stop) == (0, n * EPOCH)
    for tile in cut:
        assert 0 <= tile.low <= tile.start < tile.stop <= tile.high <= n * EPOCH
        assert all(
            at % 2**top == 0 and at % tiles_module.ROWS == 0 for at in (tile.low, tile.start, tile.stop, tile.high)
        )


def test_a_batch_is_its_nights_one_by_one(model):
    x = torch.cat([night(3, 2), night(3, 2, seed=1)])
    with torch.inference_mode():
        close(model.logits(x, None, (1, 30)), plain(model, x, (1, 30)))


def test_subsets_are_what_the_network_says_of_those_channels_alone(model):
    x, wanted = night(9, 4), [(0,), (3, 1), (0, 1, 2, 3), (2,), (1, 2), (0, 3), (0, 1), (2, 3), (0, 1, 2), (3,)]
    with torch.inference_mode():
        for subset, found in zip(wanted, model.subsets(x, wanted, (1, 30)), strict=True):
            close(found, plain(model, x[:, list(subset)], (1, 30)))


def test_attention_weights_are_those_of_the_networks_own_modules(model):
    x = night(5, 3)
    with torch.inference_mode():
        levels = model._features(x.reshape(3, 1, -1))
        wanted = torch.stack([each.score(x) for each, x in zip(model.skip_connections, levels, strict=True)])
        torch.testing.assert_close(model.attention_weights(x)[0], wanted.softmax(1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("channel", [0, 1])
def test_one_channel_may_outweigh_all_others(model, channel):
    # A softmax whose exponents differ by thousands neither overflows nor loses the channel that counts.
    x = night(2, 2)
    x[:, channel] *= 1e4
    with torch.inference_mode():
        close(model.logits(x, None, [1]), plain(model, x, [1]))


def test_an_error_in_a_tile_reaches_the_caller(model):
    def readout(tile, logits):
        raise RuntimeError("told")

    with torch.inference_mode(), Workers(2) as workers, pytest.raises(RuntimeError, match="told"):
        WholeNight(model, Signals(night(2, 1)[0]), workers).read_out([1], readout)


def test_a_part_of_an_epoch_goes_the_plain_way(model):
    x = night(3, 2)[..., :-1000]
    with torch.inference_mode():
        close(model.logits(x, None, (1, 30)), plain(model, x, (1, 30)))


@pytest.mark.parametrize("numpy_is_faster", [True, False])
def test_elu_and_tanh_are_those_of_torch_to_single_precision(numpy_is_faster, monkeypatch):
    """Math libraries keep within 4 units in the last place, and ELU may be the exponential less 1."""
    monkeypatch.setattr(tiles_module, "_numpy_is_faster", lambda: numpy_is_faster)
    x = torch.cat([torch.linspace(-100, 100, 2001), torch.tensor([0.0, -0.0, 1e-30, -1e-30, -torch.inf, torch.inf])])
    for ours, exact in ((tiles_module.elu_, torch.nn.functional.elu), (tiles_module.tanh_, torch.tanh)):
        found, wanted = ours(x.clone()).double(), exact(x.double())
        torch.testing.assert_close(found, wanted, rtol=8 * UNIT, atol=8 * UNIT)
        assert ours(torch.tensor([torch.nan])).isnan().all()

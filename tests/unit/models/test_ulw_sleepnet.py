"""ULW-SleepNet against the counts of its paper (arXiv 2602.23852), and what its options promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.numerics import in_double

from hypnoflow.errors import ConfigError, RecordingError
from hypnoflow.models import build_model, declaration, models
from hypnoflow.models.parts.count import count
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.models.ulw_sleepnet import SAMPLES, Fused

CONTEXT = {"hidden": None, "unit": "scaled", "context": 8}
PAPER = [  # channels, trainable parameters, all but for counters, MACs, FLOPs as the paper counts
    (1, 7_193, 7_417, 0.875e6, 1.97e6),
    (2, 9_241, 9_465, 1.749e6, 3.94e6),
    (3, 11_289, 11_513, 2.624e6, 5.91e6),
    (4, 13_337, 13_561, 3.498e6, 7.88e6),
    (10, 25_625, 25_849, 8.745e6, 19.70e6),
]


def parameters(model) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def unsettled(**options):
    """Return a network in double precision whose norms are no identities."""
    torch.manual_seed(5)
    model = build_model("ulw-sleepnet", **options)
    for name, value in model.state_dict().items():
        if "running_mean" in name or name.endswith(("norms.0.bias", "norms.1.bias", "across.bias")):
            value.normal_(0, 0.3)
        if "running_var" in name:
            value.uniform_(0.5, 2)
    return in_double(model.eval())


def signals(windows: int, channels: int, epochs: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(windows, channels, epochs * SAMPLES, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("channels", "trainable", "whole", "macs", "flops"), PAPER)
def test_parameters_and_operations_are_those_of_the_paper(channels, trainable, whole, macs, flops):
    model = build_model("ulw-sleepnet", channels=["eeg"] * channels)
    assert parameters(model) == trainable
    assert sum(v.numel() for name, v in model.state_dict().items() if "tracked" not in name) == whole
    cost = count(model, channels)
    assert cost.macs == pytest.approx(macs, rel=1e-3)
    assert cost.flops_with_bias_and_norm == pytest.approx(flops, rel=2e-3)


@pytest.mark.parametrize(("channels", "n"), [(1, 4_921), (2, 5_081), (3, 5_241), (4, 5_401), (10, 6_361)])
def test_the_two_dense_layers_joined_are_the_same_functions_with_fewer_parameters(channels, n):
    kinds = ["eeg"] * channels
    wide, joined = unsettled(channels=kinds), unsettled(channels=kinds, hidden=None)
    assert parameters(joined) == n
    joined.extractor.load_state_dict(wide.extractor.state_dict())
    first, second = wide.head[1], wide.head[2]
    with torch.no_grad():
        joined.head[1].weight.copy_(second.weight @ first.weight)
        joined.head[1].bias.copy_(second.weight @ first.bias + second.bias)
    x = signals(2, channels, 3)
    torch.testing.assert_close(joined(x), wide(x), rtol=0, atol=1e-9)


def test_with_scaled_signals_and_context_it_stays_small():
    assert parameters(build_model("ulw-sleepnet", **CONTEXT)) <= 6_500


def test_context_is_what_makes_neighbours_matter():
    x = signals(1, 4, 5)
    other = x.clone()
    other[..., :SAMPLES] *= 3  # the first epoch alone
    for options, reaches in (({}, False), (CONTEXT, True)):
        model = unsettled(**options)
        moved = (model(x) - model(other)).abs().amax(-1)[0]
        assert moved[0] > 1e-6
        assert bool((moved[1:] > 1e-9).any()) is reaches


def test_joined_operations_give_what_each_layer_by_itself_gives():
    model, x = unsettled(), signals(1, 4, 2)
    by_itself = model(x)  # with gradients: as it learns, but for dropout
    with torch.inference_mode():
        torch.testing.assert_close(model(x), by_itself, rtol=0, atol=1e-9)
        block = model.extractor[0]
        torch.testing.assert_close(Fused(block)(x[:, :1]), block(x[:, :1]), rtol=0, atol=1e-9)


def test_a_night_is_scored_in_parts_as_it_is_at_once():
    model, x = unsettled(**CONTEXT), signals(1, 4, 37)
    with torch.inference_mode():
        torch.testing.assert_close(model.night(Signals(list(x[0])), [1])[1], model(x)[0], rtol=0, atol=1e-9)


def test_channels_have_their_places():
    model, x = unsettled(), signals(1, 4, 1)
    assert (model(x) - model(x[:, [1, 0, 2, 3]])).abs().max() > 1e-6


def test_it_reads_what_its_options_say():
    reads = models.get("ulw-sleepnet").reads(declaration("ulw-sleepnet").options())
    assert [slot.kind for slot in reads.slots] == ["eeg", "eeg", "eog", "emg"]
    assert (reads.rate_hz, reads.unit) == (100, "uV")
    channels = [("emg", "Chin"), ("eeg", "C3-M2"), ("eog", "E1-M2"), ("eeg", "C4-M1"), ("eeg", "O1-M2")]
    assert reads.views(channels) == [(1, 3, 2, 0)]
    with pytest.raises(RecordingError, match="EEG . EEG . EOG . EMG, and no EMG channel is left"):
        reads.views(channels[1:])


def test_steps_below_30_s_are_none_of_its():
    with pytest.raises(ValueError, match="30-s epochs"):
        unsettled().logits(signals(1, 4, 1), None, [1, 2])
    assert not declaration("ulw-sleepnet").fine


def test_an_unknown_kind_of_channel_is_refused():
    with pytest.raises(ConfigError, match="channels"):
        build_model("ulw-sleepnet", channels=["eegg"])


@pytest.mark.parametrize("name", models.names())
def test_what_is_read_of_a_network_without_torch_is_what_it_is(name):
    known, kind = declaration(name), models.get(name)
    assert known.options.model_json_schema() == kind.Options.model_json_schema()
    assert (known.recipe, known.published, known.bases, known.source) == (
        kind.recipe, kind.published, kind.bases, kind.source,
    )  # fmt: skip
    assert (known.fine, known.any_channels) == (kind.fine, not kind.reads(kind.Options()).slots)
    assert known.any_channels == kind.any_channels
    assert known.source


@pytest.mark.parametrize("name", models.names())
def test_every_network_learns_by_its_loss_and_scores_as_its_contract_says(name):
    torch.manual_seed(1)
    size = {} if name == "ulw-sleepnet" else {"depth": 4, "complexity": 0.1, "attention_hidden": 4}
    model = build_model(name, **size)
    reads = model.input
    n_channels = len(reads.slots) or 3
    x = torch.randn(2, n_channels, round(60 * reads.rate_hz))
    steps = 4 if model.fine else 1
    from hypnoflow.models.contract import Batch

    batch = Batch(x, torch.ones(2, n_channels, dtype=torch.bool), torch.tensor([[0, 9], [4, 2]]), steps)
    loss = model.train()(batch)
    loss.backward()
    assert loss.shape == ()
    assert all(p.grad is not None for p in model.parameters())
    nothing = model(batch._replace(labels=torch.full((2, 2), 9)))
    assert float(nothing.detach()) == 0  # unscored labels teach nothing
    found = model.eval().logits(x, None, [steps])
    assert found[steps].shape == (2, 2 * steps, 5)
    assert model.weights().keys() == model.state_dict().keys()
    with pytest.raises(ValueError, match="one network of its own kind"):
        type(model)(model.options, 5, [model, model])
    again = type(model)(model.options, 5, [model])
    assert all(torch.equal(again.state_dict()[key], value) for key, value in model.state_dict().items())
    assert np.isfinite(found[steps].detach().numpy()).all()

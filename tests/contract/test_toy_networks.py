"""Networks that are none, made here to try what the contract promises beyond what the registered ones use: a base that
stays frozen, windows of one length, another task."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from tests.tiny_training import RUN, changed, options, train, write_store
from torch import nn

from hypnoflow import models as registry
from hypnoflow.checkpoints.checkpoint import load_checkpoint
from hypnoflow.config.section import Section, option
from hypnoflow.data.recordings import SignalReader, open_stored
from hypnoflow.errors import CheckpointError, ConfigError
from hypnoflow.models import lineage, models
from hypnoflow.models._declared import Declared
from hypnoflow.models.contract import Classifier, Input
from hypnoflow.models.parts.count import lines_of
from hypnoflow.train.data import load_training_set
from hypnoflow.types import EPOCH_SAMPLES

pytestmark = pytest.mark.usefixtures("one_thread")


class Width(Section):
    width: int = option(3, "Units.", "units", ge=1)


class Spectrum(Classifier):
    """Powers of two frequencies, and a layer on top of them."""

    Options = Width
    fine = False

    def __init__(self, options, n_classes=5, base=()):
        super().__init__(options, n_classes, base)
        self.body = nn.Linear(20, options.width)
        self.head = nn.Linear(options.width, n_classes)

    def features(self, x):
        epochs = x.mean(1).reshape(x.shape[0], -1, EPOCH_SAMPLES)
        spectrum = torch.fft.rfft(epochs, dim=-1).abs()[..., :600]
        return torch.log1p(spectrum.reshape(*epochs.shape[:2], 20, 30).mean(-1))

    def logits(self, x, present, steps_per_epoch):
        return {1: self.head(torch.relu(self.body(self.features(x))))}


class Adapted(Spectrum):
    """An adapter and a head on a frozen body, whose size it does not know by itself."""

    bases = ("spectrum",)
    frozen_base = True

    def __init__(self, options, n_classes=5, base=()):
        Classifier.__init__(self, options, n_classes, base)
        [self.frozen] = base
        self.frozen.requires_grad_(False)
        self.adapter = nn.Linear(self.frozen.options.width, options.width)
        self.head = nn.Linear(options.width, n_classes)

    def logits(self, x, present, steps_per_epoch):
        return {1: self.head(self.adapter(torch.relu(self.frozen.body(self.features(x)))))}

    def weights(self):
        return {name: value for name, value in self.state_dict().items() if not name.startswith("frozen.")}


class FourEpochs(Spectrum):
    """Takes four epochs at once, neither more nor fewer, and tells which of the four an epoch is."""

    input = Input(window_epochs=4)

    def logits(self, x, present, steps_per_epoch):
        assert x.shape[-1] == 4 * EPOCH_SAMPLES
        place = torch.arange(4.0, device=x.device)[None, :, None] + 0 * x.sum()
        return {1: super().logits(x, present, steps_per_epoch)[1] * 0 + place}


TOYS = {"spectrum": Spectrum, "adapted": Adapted, "four": FourEpochs}


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    get, declaration = models.get, registry.declaration
    monkeypatch.setattr(models, "get", lambda name: TOYS.get(name) or get(name))
    known = {name: Declared(toy.Options, fine=False, bases=toy.bases) for name, toy in TOYS.items()}
    monkeypatch.setattr(registry, "declaration", lambda name: known.get(name) or declaration(name))


@pytest.fixture
def folder(tmp_path):
    """Three recordings, whose apneas of 12 s lie in every fourth epoch."""
    names = ["a", "b", "c"]
    apneas = [30.0 * k + 5 for k in range(0, 20, 4)]
    events = {"onset_s": apneas, "duration_s": [12.0] * 5, "kind": ["apnea"] * 5}
    cohort = tmp_path / "h" / "c"
    write_store(cohort / "000.zarr", names, events=events, gaps_s=[])
    (cohort / "000.json").write_text(json.dumps({"recordings": dict.fromkeys(names, "")}))
    rows = [{"cohort": "c", "shard": "000", "recording": n, "person": n, "group": n} for n in names]
    pd.DataFrame(rows).assign(split=["train", "train", "valid"]).to_parquet(tmp_path / "split.parquet")
    return tmp_path


def fit(folder, entry, out):
    data = load_training_set(folder / "split.parquet", folder / "h", entry)
    return train(data, entry, RUN, seed=1, run_seed=1, out=folder / out)


def night(folder):
    recording = open_stored(folder / "h" / "c" / "000.zarr", "c", "c", "c")
    return torch.from_numpy(SignalReader().window(recording, 0, recording.n_epochs))[None]


@pytest.fixture
def adapted(folder):
    """A base, and what was trained on top of it."""
    fit(folder, options("spectrum", network=Width(width=7), label_steps=1), "base.ckpt")
    entry = changed(options("adapted", network=Width(), label_steps=1), base=(str(folder / "base.ckpt"),))
    fit(folder, entry, "adapted.ckpt")
    return folder


def test_a_checkpoint_on_a_frozen_base_holds_what_it_learnt_and_reads_the_base_again(adapted):
    kept = torch.load(adapted / "adapted.ckpt", weights_only=True)["state_dict"]
    assert set(kept) == {"adapter.weight", "adapter.bias", "head.weight", "head.bias"}
    base, found = (load_checkpoint(adapted / name).model for name in ("base.ckpt", "adapted.ckpt"))
    assert torch.equal(found.frozen.body.weight, base.body.weight)
    features = torch.relu(base.body(base.features(night(adapted))))
    by_hand = (features @ kept["adapter.weight"].T + kept["adapter.bias"]) @ kept["head.weight"].T + kept["head.bias"]
    assert torch.allclose(found(night(adapted)), by_hand, atol=1e-5)
    assert lineage("adapted") == ("adapted", "spectrum")


def test_both_may_move_together(adapted, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("base.ckpt", "adapted.ckpt"):
        shutil.move(adapted / name, moved / name)
    assert load_checkpoint(moved / "adapted.ckpt").classifier


def test_a_base_that_is_missing_or_another_is_refused(adapted):
    (adapted / "base.ckpt").rename(adapted / "kept.ckpt")
    with pytest.raises(CheckpointError, match=r"holds what it learnt on top of .*base\.ckpt.*bring it there \(SHA-256"):
        load_checkpoint(adapted / "adapted.ckpt")
    fit(adapted, options("spectrum", network=Width(width=7), label_steps=1, learning_rate=1e-3), "base.ckpt")
    with pytest.raises(CheckpointError, match=r"trained from another .*train again"):
        load_checkpoint(adapted / "adapted.ckpt")


def test_a_training_on_a_frozen_base_is_calibrated_with_that_base(adapted):
    facts = json.loads((adapted / "adapted.json").read_text())
    model = load_checkpoint(adapted / "adapted.ckpt").classifier
    labels = torch.arange(20) % 5
    nll = nn.functional.cross_entropy(model(night(adapted))[0].detach(), labels)
    assert facts["calibration"]["nll_before"] == pytest.approx(float(nll), rel=1e-5)


@pytest.mark.parametrize("n_epochs", [3, 4, 9])
def test_signals_of_any_length_are_seen_in_windows_of_the_one_length_and_every_epoch_once(n_epochs):
    model = FourEpochs(Width())
    found = model(torch.zeros(2, 1, n_epochs * EPOCH_SAMPLES))
    # Nine epochs are the windows 0 to 3, 4 to 7 and 5 to 8, of which the last adds its last.
    wanted = {3: [0, 1, 2], 4: [0, 1, 2, 3], 9: [0, 1, 2, 3, 0, 1, 2, 3, 3]}[n_epochs]
    assert found.shape == (2, n_epochs, 5)
    assert found[1, :, 0].tolist() == wanted


def test_windows_of_another_length_are_refused_before_training(folder):
    with pytest.raises(ConfigError, match=r"four takes windows of 4 epochs; .* is 5"):
        fit(folder, options("four", network=Width(), window_epochs=5, label_steps=1), "four.ckpt")


def test_apneas_are_learnt_validated_and_calibrated_as_such(folder):
    entry = options("spectrum", network=Width(), task="apnea", label_steps=1)
    facts = fit(folder, entry, "apnea.ckpt")
    found = load_checkpoint(folder / "apnea.ckpt")
    assert found.facts["classes"] == ["none", "apnea"]
    labels = torch.from_numpy((np.arange(20) % 4 == 0).astype(np.int64))
    nll = nn.functional.cross_entropy(found.classifier(night(folder))[0].detach(), labels)
    assert facts["calibration"]["n_epochs"] == 20
    assert facts["calibration"]["nll_before"] == pytest.approx(float(nll), rel=1e-5)


def test_subsets_and_costs_of_a_network_of_one_window_length_are_those_of_its_windows():
    model = FourEpochs(Width())
    x = torch.zeros(1, 2, 9 * EPOCH_SAMPLES)
    for found in model.subsets(x, [[0], [0, 1]], [1]):
        assert found[1][0, :, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 3]
    # A layer of 20 to 3 and one of 3 to 5 see each epoch once: 75 products, whatever the window.
    (line,) = [line for line in lines_of(FourEpochs, Width()) if line.split()[:2] == ["1", "30"]]
    assert line.split()[3] == "75"


def test_a_checkpoint_that_does_not_say_what_it_stands_on_is_refused(adapted):
    content = torch.load(adapted / "adapted.ckpt", weights_only=True)
    torch.save({**content, "bases": {}}, adapted / "orphan.ckpt")
    with pytest.raises(CheckpointError, match="does not say what 'adapted' started from"):
        load_checkpoint(adapted / "orphan.ckpt")


def test_a_base_is_found_from_results_that_are_a_link(folder, tmp_path):
    (tmp_path / "disk" / "far" / "away").mkdir(parents=True)
    (tmp_path / "results").symlink_to(tmp_path / "disk" / "far" / "away")
    fit(folder, options("spectrum", network=Width(width=7), label_steps=1), "base.ckpt")
    entry = changed(options("adapted", network=Width(), label_steps=1), base=(str(folder / "base.ckpt"),))
    fit(folder, entry, tmp_path / "results" / "adapted.ckpt")
    for path in (tmp_path / "results", tmp_path / "disk" / "far" / "away"):
        assert load_checkpoint(path / "adapted.ckpt").classifier

"""A tiny training carries the temperature of the weights that it keeps, fitted on its validation persons."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.contract.test_train import PREPROCESSING, RUN, options, write_store

from hypnoflow.data.recordings import SignalReader, open_stored
from hypnoflow.models._checkpoint import load_checkpoint
from hypnoflow.score.infer import Scorer
from hypnoflow.train.calibrate import fit_temperature, nll
from hypnoflow.train.loop import TrainingSet, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    write_store(folder / "000.zarr", ["a", "b", "c"])
    a, b, c = (open_stored(folder / "000.zarr", "cohort", name, name) for name in "abc")
    path = folder / "net.pt"
    # The best epoch is rarely the last of so many at this rate: calibrated is what is kept.
    facts = train(TrainingSet([a], [b, c], PREPROCESSING), options(max_epochs=4), RUN, seed=3, run_seed=1, out=path)
    return path, facts, [b, c]


def test_the_kept_weights_have_the_temperature_in_their_checkpoint(trained):
    path, facts, valid = trained
    held = load_checkpoint(path)
    found = held.facts["training"]["calibration"]
    assert found == facts["calibration"]
    json.dumps(found, allow_nan=False)
    reader = SignalReader()
    with torch.inference_mode():
        nights = [held.model(torch.from_numpy(reader.window(r, 0, r.n_epochs))[None])[0] for r in valid]
    logits, stage = torch.cat(nights).double().numpy(), np.concatenate([r.stage for r in valid]).astype(int)
    assert found["n_epochs"] == len(stage)
    assert found["nll_before"] == pytest.approx(nll(logits, stage), rel=1e-6)
    assert found["temperature"] == pytest.approx(fit_temperature(logits, stage), rel=1e-4)
    assert found["nll_after"] <= found["nll_before"]


def test_scoring_takes_it_from_there(trained):
    path, facts, _ = trained
    assert Scorer([path]).temperatures == [facts["calibration"]["temperature"]]
    assert Scorer([path], calibrate=False).temperatures == [1.0]

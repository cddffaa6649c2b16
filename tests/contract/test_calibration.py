"""A tiny training carries the temperature of the weights that it keeps, fitted on its validation persons."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.contract.test_models import at_once
from tests.contract.test_train import PREPROCESSING, RUN, options, write_store
from tests.numerics import in_double, rounding
from tests.tiny_training import train

from hypnoflow.checkpoints.checkpoint import load_checkpoint
from hypnoflow.data.recordings import SignalReader, open_stored
from hypnoflow.score.infer import Scorer
from hypnoflow.train.calibrate import fit_temperature, nll
from hypnoflow.train.data import TrainingSet


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    write_store(folder / "000.zarr", ["a", "b", "c"])
    a, b, c = (open_stored(folder / "000.zarr", "cohort", name, name) for name in "abc")
    path = folder / "net.pt"
    # The best epoch is rarely the last of so many at this rate: calibrated is what is kept.
    facts = train(TrainingSet([a], [b, c], PREPROCESSING), options(max_rounds=4), RUN, seed=3, run_seed=1, out=path)
    return path, facts, [b, c]


def test_the_kept_weights_have_the_temperature_in_their_checkpoint(trained):
    path, facts, valid = trained
    held = load_checkpoint(path)
    found = held.facts["training"]["calibration"]
    assert found == facts["calibration"]
    json.dumps(found, allow_nan=False)
    reader = SignalReader()
    model, nights = in_double(held.model), [torch.from_numpy(reader.window(r, 0, r.n_epochs))[None] for r in valid]

    @torch.inference_mode()
    def exact():
        return torch.cat([at_once(model, x.double(), 1)[0] for x in nights])

    logits, stage = exact().numpy(), np.concatenate([r.stage for r in valid]).astype(int)
    off = 2 * rounding(exact)  # logits off by so much change a negative log-likelihood by twice that, at most
    assert found["n_epochs"] == len(stage)
    assert found["nll_before"] == pytest.approx(nll(logits, stage), rel=0, abs=off)
    t, best = found["temperature"], fit_temperature(logits, stage)
    assert nll(logits / t, stage) <= nll(logits / best, stage) + off / t + off / best
    assert off / t + off / best < 1e-2 * (nll(logits, stage) - nll(logits / best, stage))
    assert found["nll_after"] <= found["nll_before"]


def test_scoring_takes_it_from_there(trained):
    path, facts, _ = trained
    assert Scorer([path]).temperatures == [facts["calibration"]["temperature"]]
    assert Scorer([path], calibrate=False).temperatures == [1.0]

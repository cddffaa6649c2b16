"""The fitted temperature: recovered where it is known, and fitted to scored validation epochs only."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from hypnoflow.config.section import Section
from hypnoflow.evaluate.calibration import bin_sums, expected_calibration_error
from hypnoflow.models.contract import Classifier
from hypnoflow.train.calibrate import LIMITS, calibrate, fit_temperature, nll


def softmax(z):
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def calibrated_logits(seed: int = 1, n: int = 40_000):
    """Return logits and labels drawn from their very softmax: perfectly calibrated by construction."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.standard_normal((n, 5))
    stage = (softmax(z).cumsum(1) < rng.random((n, 1))).sum(1)
    return z, np.minimum(stage, 4)


class Echo(Classifier):
    """Gives the first five samples of each of its channel's epochs as logits, times its one weight."""

    def __init__(self):
        super().__init__(Section(), 5)
        self.factor = torch.nn.Parameter(torch.tensor(1.0))

    def logits(self, x, present, steps_per_epoch):
        assert present.all()
        return {1: x[:, 0].reshape(len(x), -1, 3840)[..., :5] * self.factor}


def nights(z, stage, n_nights=4):
    x = np.zeros((len(z), 3840), np.float32)
    x[:, :5] = z
    parts = zip(np.split(x, n_nights), np.split(stage, n_nights), strict=True)
    return [(torch.from_numpy(a.reshape(1, -1)), torch.tensor([True]), torch.from_numpy(b)) for a, b in parts]


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5, 6.0])
def test_logits_that_were_multiplied_are_brought_back(factor):
    z, stage = calibrated_logits()
    assert fit_temperature(factor * z, stage) == pytest.approx(factor, rel=0.02)


def test_multiplying_logits_multiplies_the_temperature():
    z, stage = calibrated_logits(n=2000)
    assert fit_temperature(2.5 * z, stage) == pytest.approx(2.5 * fit_temperature(z, stage), rel=1e-4)


def test_no_temperature_on_a_grid_is_likelier():
    z, stage = calibrated_logits(n=500)
    best = nll(z / fit_temperature(z, stage), stage)
    assert all(best <= nll(z / t, stage) + 1e-12 for t in np.geomspace(*LIMITS, 400))


def test_nll_is_sklearns_log_loss():
    z, stage = calibrated_logits(n=300)
    assert nll(z, stage) == pytest.approx(log_loss(stage, softmax(z), labels=range(5)))


def test_facts_are_those_of_the_scored_epochs_under_the_given_weights():
    z, stage = calibrated_logits(n=400)
    stage[::7] = 9
    scored = stage != 9
    facts = calibrate(Echo(), {"factor": torch.tensor(3.0)}, nights(z, stage))
    seen = 3 * z.astype(np.float32)[scored].astype(float)
    t = facts["temperature"]
    assert t == pytest.approx(fit_temperature(seen, stage[scored]), rel=1e-4)
    assert facts["n_epochs"] == scored.sum()
    assert facts["nll_before"] == pytest.approx(nll(seen, stage[scored]), rel=1e-5)
    assert facts["nll_after"] == pytest.approx(nll(seen / t, stage[scored]), rel=1e-5)
    assert facts["nll_after"] < facts["nll_before"]
    for way, logits in (("before", seen), ("after", seen / t)):
        p = softmax(logits)
        sums = bin_sums(p.max(1), p.argmax(1) == stage[scored])
        assert facts[f"ece_{way}"] == pytest.approx(float(expected_calibration_error(sums)), abs=1e-4), way
    assert facts["ece_after"] < facts["ece_before"] / 2  # three times too sure is far off


def test_without_a_scored_epoch_the_temperature_is_1(caplog):
    z, stage = calibrated_logits(n=8)
    facts = calibrate(Echo(), {"factor": torch.tensor(1.0)}, nights(z, np.full_like(stage, 9)))
    assert (facts["temperature"], facts["n_epochs"], facts["nll_before"]) == (1.0, 0, None)
    assert "no scored validation epoch" in caplog.text


def test_a_network_that_is_never_wrong_gets_the_lowest_temperature_and_it_is_said(caplog):
    stage = np.arange(40) % 5
    with caplog.at_level(logging.WARNING):
        facts = calibrate(Echo(), {"factor": torch.tensor(1.0)}, nights(np.eye(5)[stage], stage))
    assert facts["temperature"] == pytest.approx(LIMITS[0], rel=0.01)
    assert "at the limit" in caplog.text

"""Networks as ONNX files give, in another program, what they give here."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.numerics import UNIT

from hypnoflow.checkpoints.checkpoint import Trained, save_checkpoint
from hypnoflow.checkpoints.onnx import export_onnx
from hypnoflow.errors import ConfigError
from hypnoflow.models import build_model

onnxruntime = pytest.importorskip("onnxruntime")

NETWORKS = {
    "anysleep": {"depth": 5, "complexity": 0.2, "attention_hidden": 4},
    "ulw-sleepnet": {},
    "ulw-context": {"hidden": None, "unit": "scaled", "context": 8},
}


def checkpoint(folder, name):
    torch.manual_seed(3)
    network = "ulw-sleepnet" if name.startswith("ulw") else name
    model = build_model(network, **NETWORKS[name])
    path = folder / f"{name}.ckpt"
    about = {"version": 2, "clip_iqr": 20.0}
    trained, facts = Trained(name, network, model.options), {"calibration": {"temperature": 1.5}}
    save_checkpoint(path, trained, model.state_dict(), preprocessing=about, training=facts)
    return path, model.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_are_those_of_the_network_for_any_number_of_epochs_and_windows(name, tmp_path, rng):
    path, model = checkpoint(tmp_path, name)
    export_onnx(str(path), tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    about = json.loads((tmp_path / "net.json").read_text())
    n = about["input"]["channels"]
    assert (about["input"]["rate_hz"], about["classes"]) == (model.input.rate_hz, ["W", "N1", "N2", "N3", "R"])
    for windows, epochs in ((1, 20), (2, 7)):
        x = rng.standard_normal((windows, n, round(epochs * 30 * model.input.rate_hz))).astype(np.float32)
        (found,) = session.run(None, {"x": x})
        double = model.double()
        with torch.inference_mode():
            wanted = (double(torch.from_numpy(x).double()) / 1.5).softmax(-1).numpy()
            rounded = (model.float()(torch.from_numpy(x)) / 1.5).softmax(-1).numpy()
        # As far off as single precision is here, and some more: another program adds in another order.
        off = max(16 * np.abs(rounded - wanted).max(), 64 * UNIT)
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=0, atol=off)
        assert off < 1e-3


def test_a_network_of_30_s_is_not_exported_finer(tmp_path):
    path, _ = checkpoint(tmp_path, "ulw-sleepnet")
    with pytest.raises(ConfigError, match="30-s epochs only"):
        export_onnx(str(path), tmp_path / "net.onnx", 30)
    assert not (tmp_path / "net.onnx").exists()

"""A trained network as an ONNX file, which other programs run without Python; needs the extra `onnx`."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from hypnoflow.checkpoints.published import load_any
from hypnoflow.checkpoints.release import local_file
from hypnoflow.errors import ConfigError
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import replacing
from hypnoflow.facts.provenance import write_facts
from hypnoflow.models.contract import Classifier
from hypnoflow.types import EPOCH_S

OPSET = 17
EPOCHS = 35  # of the signals that the network is traced with; their number is free in the file


class _OneResolution(nn.Module):
    """Signals → probabilities at one resolution."""

    def __init__(self, model: Classifier, steps_per_epoch: int, temperature: float):
        super().__init__()
        self._model, self._steps, self._temperature = model, steps_per_epoch, temperature

    def forward(self, x: Tensor) -> Tensor:
        found = self._model.logits(x, None, [self._steps])[self._steps]
        return (found / self._temperature).softmax(-1)


def export_onnx(checkpoint: str, out: Path, steps_per_epoch: int = 1, n_channels: int | None = None) -> None:
    """Write a network that gives probabilities at one resolution, with what it reads in a JSON beside it.

    Parameters
    ----------
    checkpoint : str
        A file, or the name of published weights.
    out : Path
        The ``.onnx`` file. Its input ``x`` is (window, channel, sample), of any length unless the network takes
        windows of one; its output (window, step, class).
    steps_per_epoch : int
        Predictions per 30 s.
    n_channels : int, optional
        Channels, of a network that takes any number; a network's slots without it, or 2.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint.
    ConfigError
        If the library is missing, or steps below 30 s are asked of a network that has none.
    """
    held = load_any(local_file(checkpoint))
    model = held.classifier
    if steps_per_epoch != 1 and not model.fine:
        raise ConfigError(f"{held.facts['network']} scores 30-s epochs only: leave out --resolution")
    n = len(model.input.slots) or n_channels or 2
    wanted = model.input.window_epochs
    samples = round((wanted or EPOCHS) * EPOCH_S * model.input.rate_hz)
    calibration = (held.facts["training"].get("calibration") or {}).get("temperature", 1.0)
    # With gradients on, networks run their own modules, which a trace can follow.
    wrapped = _OneResolution(model.eval(), steps_per_epoch, float(calibration))
    about = {
        "input": {"unit": model.input.unit, "rate_hz": model.input.rate_hz, "channels": n},
        "slots": [slot.kind for slot in model.input.slots],
        "classes": held.facts["classes"],
        "step_s": EPOCH_S / steps_per_epoch,
        "window_epochs": wanted,
        "preprocessing": held.facts["preprocessing"],
        "network": held.facts["network"],
        "temperature": calibration,
    }
    with claim(out.with_suffix(".json"), [out]) as mine:
        with replacing(out) as path:
            _write(wrapped, torch.zeros(1, n, samples), path, any_length=wanted is None)
        write_facts(mine.record, None, about, [out])


def _write(model: nn.Module, x: Tensor, path: Path, *, any_length: bool) -> None:
    axes = {"x": {0: "window"}, "probability": {0: "window"}}
    if any_length:
        axes = {"x": {0: "window", 2: "sample"}, "probability": {0: "window", 1: "step"}}
    with warnings.catch_warnings():
        # The newer way needs another library; what it warns of (branches on shapes) the networks provide for.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                model,
                (x,),
                str(path),
                input_names=["x"],
                output_names=["probability"],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        except ImportError as error:
            raise ConfigError(f"{error}: install the extra, `pip install hypnoflow[onnx]`") from error

"""Temperature calibration of a trained network on the validation persons."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from hypnoflow.data.reader import named
from hypnoflow.data.recordings import SignalReader, StoredRecording
from hypnoflow.models.contract import Classifier, Input
from hypnoflow.types import UNSCORED

log = logging.getLogger(__name__)

Logits = NDArray[np.float64]
Codes = NDArray[np.int64]
Seen = tuple[Tensor, Tensor, Tensor]  # signals, which are there, labels

LIMITS = (0.05, 20.0)  # temperatures beyond say only that there was too little to fit to
ECE_BINS = 15  # Guo et al. 2017; as in hypnoflow.evaluate.calibration


def calibrate(model: Classifier, weights: dict[str, Tensor], held: Iterable[Seen]) -> dict[str, Any]:
    """Fit one temperature to a network's 30-s logits.

    Parameters
    ----------
    model : Classifier
        It holds `weights` afterwards.
    weights : dict
        The weights to calibrate, those that are kept.
    held : iterable of (Tensor (channel, sample), Tensor of bool (channel,), Tensor of int64 (epoch,))
        The validation persons' recordings, see `nights`: neither training nor test persons may have a say.

    Returns
    -------
    dict
        temperature, n_epochs, and nll and ece `_before` and `_after`, both on the very epochs fitted to; nll in nat.
        Without a single scored epoch the temperature is 1 and the measures are None.
    """
    model.load_state_dict(weights, strict=False)
    logits, stage = _predict(model.eval(), held)
    if not len(stage):
        log.warning("no scored validation epoch to calibrate on: temperature 1")
        measures = dict.fromkeys(("nll_before", "nll_after", "ece_before", "ece_after"))
        return {"temperature": 1.0, "n_epochs": 0, **measures}
    temperature = fit_temperature(logits, stage)
    if not LIMITS[0] * 1.01 < temperature < LIMITS[1] / 1.01:
        log.warning("temperature %.3g lies at the limit of what is searched, %g to %g", temperature, *LIMITS)
    measures = {
        "nll_before": nll(logits, stage),
        "nll_after": nll(logits / temperature, stage),
        "ece_before": _ece(logits, stage),
        "ece_after": _ece(logits / temperature, stage),
    }
    log.info(
        "temperature %.3f: expected calibration error on validation persons %.4f before, %.4f after",
        temperature,
        measures["ece_before"],
        measures["ece_after"],
    )
    return {"temperature": temperature, "n_epochs": len(stage), **measures}


def nights(recordings: Iterable[StoredRecording], reader: SignalReader, wanted: Input) -> Iterator[Seen]:
    """Yield signals, shape (channel, sample), which are there, shape (channel,), and 30-s labels, shape (epoch,).

    Where stages are learnt on a finer grid, the labels are the experts' 30-s stages.

    Of whole recordings, once for each set of channels that the network sees; `reader` reads in its unit.
    """
    for recording in recordings:
        labels = recording.labels if recording.labels_per_epoch == 1 else recording.stage
        truth = torch.from_numpy(labels.astype(np.int64))
        for view in wanted.views(named(recording.channels)):
            present = torch.tensor([channel is not None for channel in view])
            yield torch.from_numpy(reader.window(recording, 0, recording.n_epochs, view)), present, truth


def fit_temperature(logits: Logits, stage: Codes) -> float:
    """Return the temperature within `LIMITS` under which the negative log-likelihood is least.

    Parameters
    ----------
    logits : ndarray, shape (epoch, stage)
    stage : ndarray of int, shape (epoch,)
        Scored epochs only.

    Notes
    -----
    Guo et al. 2017, arXiv 1706.04599, section 4.2. The likelihood is log-concave in 1 / temperature, hence has one
    peak on any scale; the logarithmic one treats doubling and halving alike.
    """
    low, high = np.log(LIMITS)
    found = minimize_scalar(
        lambda log_t: nll(logits / np.exp(log_t), stage), bounds=(low, high), method="bounded", options={"xatol": 1e-7}
    )
    return float(np.exp(found.x))


def nll(logits: Logits, stage: Codes) -> float:
    """Return the mean negative log-likelihood of the labels, nat."""
    return float(-log_softmax(logits, axis=1)[np.arange(len(stage)), stage].mean())


def _ece(logits: Logits, stage: Codes) -> float:
    scores, labels = torch.from_numpy(logits).softmax(-1), torch.from_numpy(stage)
    return float(multiclass_calibration_error(scores, labels, logits.shape[1], n_bins=ECE_BINS, norm="l1"))


def _predict(model: Classifier, held: Iterable[Seen]) -> tuple[Logits, Codes]:
    """Return logits, shape (epoch, stage), and labels of all scored epochs."""
    device = next(model.parameters()).device
    logits, stages = [np.empty((0, model.n_classes))], [np.empty(0, np.int64)]
    with torch.inference_mode():
        for x, present, stage in held:
            scored = (stage != UNSCORED).numpy()
            found = model(x[None].to(device), 1, present[None].to(device))[0]
            logits.append(found.double().cpu().numpy()[scored])
            stages.append(stage.numpy()[scored])
    return np.concatenate(logits), np.concatenate(stages)

"""Short recordings that look like EEG, and a network of random weights to score them with."""

from __future__ import annotations

import numpy as np
import torch

from hypnoflow.checkpoints.checkpoint import Trained, save_checkpoint
from hypnoflow.data.reader import Described, Night
from hypnoflow.models import build_model
from hypnoflow.models.parts.size import UNetSize
from tests.edf_bytes import Raw, Tals, edf_bytes

NETWORK = UNetSize(depth=6, complexity=0.1, attention_hidden=4)
RATE_HZ = 100


def write_checkpoint(path, version=1):
    """Write a network whose weights are random, and the same at every call, for this version of the preprocessing."""
    torch.manual_seed(1)
    model = build_model("anysleep", **NETWORK.model_dump())
    about = {"version": version, "clip_iqr": 20.0}
    save_checkpoint(
        path, Trained("anysleep", "anysleep", NETWORK), model.state_dict(), preprocessing=about, training={}
    )
    return path


def noise(rng, seconds, rate_hz=RATE_HZ):
    """Return 1/f noise of about 20 uV as the digital values of records of 1 s."""
    n = seconds * rate_hz // 2 + 1
    spectrum = rng.normal(size=(2, n)) / np.sqrt(1 + np.arange(n))
    x = np.fft.irfft(spectrum[0] + 1j * spectrum[1], seconds * rate_hz)
    return np.round(3000 * x / x.std()).astype(int).reshape(seconds, rate_hz)


def write_night(path, rng, labels=("C3-M2", "E1-M2"), seconds=150, rate_hz=RATE_HZ):
    """Write a continuous EDF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(edf_bytes([Raw(noise(rng, seconds, rate_hz), label) for label in labels]))
    return path


def write_gapped(path, rng):
    """Write 300 s as EDF+D: 100 s, then 80 s without data, then 120 s; C4-M1 was not plugged in."""
    eeg, other = noise(rng, 220), noise(rng, 220)
    onsets = [f"+{i if i < 100 else i + 80}" for i in range(220)]
    flat = np.zeros((220, RATE_HZ), int)
    signals = [Raw(eeg, "C3-M2"), Raw(other, "E1-M2"), Raw(flat, "C4-M1"), Tals(onsets)]
    path.write_bytes(edf_bytes(signals, reserved="EDF+D"))
    return path


def as_night(x, kinds=None):
    """Return scaled signals at 128 Hz, shape (channel, sample), as a night; EEG unless told otherwise."""
    x = np.ascontiguousarray(x, np.float32)
    described = tuple(Described(kind) for kind in (kinds or ["eeg"] * len(x)))
    return Night(described, list(x), x.shape[1] // 3840)

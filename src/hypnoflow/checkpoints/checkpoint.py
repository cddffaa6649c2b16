"""Checkpoints: weights with all that is needed to use them rightly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hypnoflow.checkpoints.torch_file import checked_tensors, difference, is_plain, read_torch, what_keys
from hypnoflow.config.section import parse_section
from hypnoflow.config.train import Network
from hypnoflow.errors import CheckpointError, ConfigError
from hypnoflow.facts.files import replacing
from hypnoflow.facts.provenance import provenance
from hypnoflow.models import models
from hypnoflow.models.contract import StagingModel
from hypnoflow.types import RATE_HZ, STAGES

FORMAT = "hypnoflow checkpoint 1"
KINDS: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "network": dict,
    "stages": list,
    "rate_hz": (int, float),
    "preprocessing": dict,
    "training": dict,
}
PARTS = ("model", "network", "stages", "rate_hz", "preprocessing", "state_dict")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained network and what its file says about it."""

    model: StagingModel
    facts: dict[str, Any]


def save_checkpoint(
    path: Path,
    name: str,
    state_dict: dict[str, torch.Tensor],
    network: Network,
    *,
    preprocessing: dict[str, Any],
    training: dict[str, Any],
) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    preprocessing : dict
        Version and clip of the harmonized signals that the network was trained on.
    training : dict
        Options, seed, scores: plain values that are shown; of these only `calibration` is read again, for scoring.
    """
    content = {
        "format": FORMAT,
        "model": name,
        "network": network.model_dump(),
        "stages": list(STAGES),
        "rate_hz": RATE_HZ,
        "preprocessing": preprocessing,
        "training": training,
        "provenance": provenance(),
        "state_dict": state_dict,
    }
    with replacing(path) as partial:
        torch.save(content, partial)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and return its network in evaluation mode.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint of this package, or is one whose network, stages, rate or weights do not
        fit what it says of itself.
    """
    return checkpoint_of(path, read_torch(path))


def checkpoint_of(path: Path, content: object) -> Checkpoint:
    """Return the network of a checkpoint's `content`; `path` names it in messages. Raises as `load_checkpoint`."""
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(found, str) or found != FORMAT:
        keys = what_keys(content) if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"{path} is not a hypnoflow checkpoint (it holds: {keys}); expected {FORMAT!r}")
    missing = [name for name in PARTS if name not in content]
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(missing)}: it was not written whole")
    odd = [name for name, kind in KINDS.items() if name in content and not isinstance(content[name], kind)]
    if not odd:
        odd = [f"preprocessing.{name}" for name, value in content["preprocessing"].items() if not is_plain(value)]
    if odd:
        raise CheckpointError(f"{path}: {', '.join(odd)} cannot be read: the file is damaged")
    state = checked_tensors(path, content["state_dict"])
    if content["stages"] != list(STAGES) or content["rate_hz"] != RATE_HZ:
        raise CheckpointError(
            f"{path}: stages {content['stages']} at {content['rate_hz']} Hz, expected {list(STAGES)} at {RATE_HZ} Hz"
        )
    try:
        network = parse_section(Network, content["network"], str(path))
        kind = models.get(content["model"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    with torch.device("meta"):  # sizes without memory: what a file states may be anything
        problem = difference(state, kind(network).state_dict())
    if problem:
        raise CheckpointError(
            f"{path}: the weights are not those of {content['model']!r} with {content['network']} ({problem})"
        )
    model = kind(network)
    model.load_state_dict(state)
    return Checkpoint(model.eval(), {key: value for key, value in content.items() if key != "state_dict"})

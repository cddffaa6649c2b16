"""Checkpoints: weights with all that is needed to use them rightly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from hypnoflow.checkpoints.release import local_file, releases
from hypnoflow.checkpoints.torch_file import checked_tensors, difference, is_plain, read_torch, what_keys
from hypnoflow.config.section import Section, parse_section
from hypnoflow.errors import CheckpointError, ConfigError
from hypnoflow.facts.files import replacing, sha256
from hypnoflow.facts.provenance import provenance
from hypnoflow.models import models
from hypnoflow.models.contract import Classifier, Trainable
from hypnoflow.types import STAGES

MOST_CLASSES = 1000

FORMAT = "hypnoflow checkpoint 2"
OLD_FORMAT = "hypnoflow checkpoint 1"
KINDS: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "network": str,
    "options": dict,
    "task": (str, type(None)),
    "classes": list,
    "input": dict,
    "bases": dict,
    "base_files": dict,
    "preprocessing": dict,
    "training": dict,
}
PARTS = ("model", "network", "options", "classes", "preprocessing", "state_dict")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained network and what its file says about it."""

    model: Trainable
    facts: dict[str, Any]

    @property
    def classifier(self) -> Classifier:
        """Return the network as one that scores; CheckpointError for a pre-training, which does not."""
        if not isinstance(self.model, Classifier):
            raise CheckpointError(
                f"{self.facts['model']} is a pre-training ({self.facts['network']}), which scores nothing; give the "
                "checkpoint of an entry that starts from it"
            )
        return self.model


@dataclass(frozen=True, slots=True)
class Trained:
    """What a checkpoint says of its network.

    Attributes
    ----------
    model : str
        The config's entry.
    network : str
        Name of the network's file.
    options : Section
        The network's own.
    task : str or None
    classes : sequence of str
        Of the task, in the order of the logits; none of a pre-training.
    bases : mapping of str to Path
        The checkpoint of each thing that it started from, by the name that the entry has for it.
    """

    model: str
    network: str
    options: Section
    task: str | None = "stage"
    classes: Sequence[str] = STAGES
    bases: Mapping[str, Path] = field(default_factory=dict)


def save_checkpoint(
    path: Path,
    trained: Trained,
    weights: Mapping[str, torch.Tensor],
    *,
    preprocessing: dict[str, Any],
    training: dict[str, Any],
) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    weights : mapping of str to Tensor
        What the network's `weights` keeps.
    preprocessing : dict
        Version and clip of the harmonized signals that the network was trained on.
    training : dict
        Options, seed, scores: plain values that are shown; of these only `calibration` is read again, for scoring.
    """
    content = {
        "format": FORMAT,
        "model": trained.model,
        "network": trained.network,
        "options": trained.options.model_dump(),
        "task": trained.task,
        "classes": list(trained.classes),
        "input": asdict(models.get(trained.network).reads(trained.options)),
        "bases": {name: sha256(base) for name, base in trained.bases.items()},
        "base_files": {
            name: os.path.relpath(base.resolve(), path.parent.resolve()) for name, base in trained.bases.items()
        },
        "preprocessing": preprocessing,
        "training": training,
        "provenance": provenance(),
        "state_dict": dict(weights),
    }
    with replacing(path) as partial:
        torch.save(content, partial)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and return its network in evaluation mode.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint of this package, or is one whose network, options, classes or weights do not
        fit what it says of itself, or whose base is missing or another than it was trained from.
    """
    return checkpoint_of(path, read_torch(path), load_checkpoint)


def checkpoint_of(path: Path, content: object, read_base: Callable[[Path], Checkpoint]) -> Checkpoint:
    """Return the network of a checkpoint's `content`. Raises as `load_checkpoint`.

    Parameters
    ----------
    path : Path
        Where it was read, for messages and to find its base.
    content : object
        What was read.
    read_base : callable
        Reads the checkpoint of a base, for a network whose own holds nothing of it.
    """
    found = content.get("format") if isinstance(content, dict) else None
    if found == OLD_FORMAT:
        raise CheckpointError(
            f"{path} was written by an earlier version of hypnoflow ({OLD_FORMAT!r}), before trainings had names and "
            "tasks; train again (the file is left alone)"
        )
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
    classes = content["classes"]
    if not all(isinstance(name, str) for name in classes) or len(classes) > MOST_CLASSES:
        raise CheckpointError(f"{path}: classes {classes!r:.80} are no list of names")
    state = checked_tensors(path, content["state_dict"])
    try:
        kind = models.get(content["network"])
        options = parse_section(kind.Options, content["options"], str(path))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    bases = [read_base(file).model for file in _bases(path, content)] if kind.frozen_base else []
    if kind.frozen_base and not bases:
        raise CheckpointError(f"{path} does not say what {content['network']!r} started from, and holds nothing of it")
    with torch.device("meta"):  # sizes without memory: what a file states may be anything
        shapes = kind(options, len(classes), bases)
    problem = difference(state, shapes.weights())
    if problem:
        raise CheckpointError(
            f"{path}: the weights are not those of {content['network']!r} with {content['options']} ({problem})"
        )
    model = kind(options, len(classes), bases)
    model.load_state_dict(dict(state), strict=False)  # what is missing is the base's, as compared above
    return Checkpoint(model.eval(), {key: value for key, value in content.items() if key != "state_dict"})


def _bases(path: Path, content: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files of what a checkpoint starts from, if they are what it was trained from."""
    for name, hashed in content.get("bases", {}).items():
        recorded = path.resolve().parent / str(content.get("base_files", {}).get(name, name))
        file = local_file(name) if not recorded.is_file() and name in releases() else recorded
        if not file.is_file():
            raise CheckpointError(
                f"{path} holds what it learnt on top of {name}, and not {name} itself, which is not at {file}: "
                f"bring it there (SHA-256 {hashed}), or train again"
            )
        if sha256(file) != hashed:
            raise CheckpointError(
                f"{path} was trained from another {name} than the one at {file} (SHA-256 {hashed} is wanted): "
                "bring that back, or train again"
            )
        yield file

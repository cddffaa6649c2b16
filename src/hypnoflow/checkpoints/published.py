"""Networks from the files that AnySleep's authors published: ``{"state_dict": …}`` and nothing else.

Which of the four networks a file holds, and how wide its attention is, is read off its tensors (arXiv 2512.14461;
github.com/dslaborg/AnySleep). Such a file does not say how its signals were prepared: it counts as trained on this
version's harmonized signals (128 Hz, median 0, interquartile range 1) clipped at 20 interquartile ranges, which is
what the paper describes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypnoflow.checkpoints.checkpoint import Checkpoint, checkpoint_of
from hypnoflow.checkpoints.release import local_file, releases
from hypnoflow.checkpoints.torch_file import State, checked_tensors, difference, read_torch, what_keys
from hypnoflow.errors import CheckpointError
from hypnoflow.models import build_model
from hypnoflow.models.contract import Classifier
from hypnoflow.types import PREPROCESSING_VERSION, STAGES

CLIP_IQR = 20.0
NETWORKS = ("anysleep", "anysleep-early", "anysleep-late", "usleep")
HIDDEN = {  # tensors whose first axis is the hidden units of the attention
    "anysleep": "skip_connections.0.mlp.0.weight",
    "anysleep-early": "channel_attention.mlps.0.0.weight",
    "anysleep-late": "channel_attention.mlps.0.0.weight",
}


def load_published(name_or_path: str | Path) -> Classifier:
    """Return one of the networks that AnySleep's authors published, in evaluation mode.

    Parameters
    ----------
    name_or_path : str or Path
        A name of `hypnoflow weights list`, such as anysleep-run1, which is downloaded once; or a file's path.

    Returns
    -------
    Classifier
        AnySleep, with early or late fusion or as published, or U-Sleep, by the file's tensors. It expects signals as
        this package harmonizes them with ``clip_iqr`` 20, EEG before EOG for U-Sleep.

    Raises
    ------
    ConfigError
        For an unknown name.
    CheckpointError
        If the file cannot be had, or is not a published one: another format, network or size, cut off, a Git-LFS
        pointer, a web page, a pickle with code in it, which is not run.
    """
    path = local_file(name_or_path)
    return published_checkpoint(path, read_torch(path)).classifier


def load_any(path: Path) -> Checkpoint:
    """Read a checkpoint of this package, or a published file.

    Raises
    ------
    CheckpointError
        If the file is neither, or cannot be used.
    """
    content = read_torch(path)
    if isinstance(content, dict) and "state_dict" in content and "format" not in content:
        return published_checkpoint(path, content)
    return checkpoint_of(path, content, load_any)


def published_checkpoint(path: Path, content: object) -> Checkpoint:
    """Return the network of a published file, and the facts that one of this package's checkpoints would carry.

    Raises
    ------
    CheckpointError
        If the file is of another format, another network or another size, or written before 26 Feb 2026, when the
        tensors had other names.
    """
    state = _state(path, content)
    name = _network_of(state)
    if name is None:
        raise CheckpointError(f"{path}: {_why_unknown(state)}")
    hidden = {"attention_hidden": len(state[HIDDEN[name]])} if name in HIDDEN else {}
    model = build_model(name, **hidden)
    problem = difference(state, model.state_dict())
    if problem:
        raise CheckpointError(
            f"{path} looks like {name}, but does not fit it at the published size ({problem}); files of other sizes "
            "cannot be loaded"
        )
    model.load_state_dict(dict(state))
    facts = {
        "model": name,
        "network": name,
        "options": model.options.model_dump(),
        "task": "stage",
        "classes": list(STAGES),
        "preprocessing": {"version": PREPROCESSING_VERSION, "clip_iqr": CLIP_IQR},
        "training": {"published": path.name},
    }
    return Checkpoint(model.eval(), facts)


def _state(path: Path, content: object) -> State:
    """Return the tensors of a file by name; CheckpointError if it holds something else."""
    if not isinstance(content, dict) or "state_dict" not in content:
        held = what_keys(content) if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"{path} holds no published weights: expected one entry, state_dict; found {held}")
    if "format" in content:
        raise CheckpointError(f"{path} is a checkpoint of hypnoflow's own; give it to `hypnoflow score --model`")
    return checked_tensors(path, content["state_dict"])


def _network_of(state: State) -> str | None:
    """Return which network a file holds by the tensors that only one of them has; None where there are none."""
    first = state.get("encoders.0.enc.0.weight")
    scored = state.get("channel_attention.encoder.0.weight")
    if first is None or first.dim() != 3:
        return None
    name = None
    if HIDDEN["anysleep"] in state:
        name = "anysleep"
    elif scored is not None and scored.dim() == 3 and HIDDEN["anysleep-early"] in state:
        name = "anysleep-early" if scored.shape[1] == 1 else "anysleep-late"
    elif scored is None and first.shape[1] == 2:
        name = "usleep"
    nested = any(key.startswith("segment_classifier.segment_classifier.") for key in state)
    return name if nested else None


def _why_unknown(state: State) -> str:
    """Say what a file is whose names are those of no network: written by an older version, or something else."""
    shapes = Counter(tuple(value.shape) for value in state.values())
    for name in NETWORKS:
        if shapes == Counter(tuple(value.shape) for value in build_model(name).state_dict().values()):
            current = next(release.name for release in releases().values() if release.network == name)
            return (
                f"holds the tensors of {name} under other names: a file from before 26 Feb 2026, when the published "
                f"files were saved again with new names; get a current one, such as `hypnoflow weights get {current}`"
            )
    some = ", ".join(list(state)[:3]) or "none"
    return f"none of {', '.join(NETWORKS)}: its {len(state)} tensors are {some} …"

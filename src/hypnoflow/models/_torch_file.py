"""Reading PyTorch files that somebody else may have written: no code in them is run, and what is wrong is said."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import torch

from hypnoflow.errors import CheckpointError
from hypnoflow.models._release import what_it_is

State = dict[str, torch.Tensor]

ZIP, PICKLE = b"PK\x03\x04", b"\x80"  # the formats of PyTorch since 1.6, and before


def read_torch(path: Path) -> object:
    """Return what a PyTorch file holds, on the CPU.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is empty, something else (a Git-LFS pointer, a web page, text), cut off, or
        a pickle of more than tensors and plain values, whose code is not run.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}" + (", which is a folder" if path.is_dir() else ""))
    problem = _at_first_sight(path)
    if problem:
        raise CheckpointError(f"{path} is not a PyTorch file: {problem}")
    try:
        with warnings.catch_warnings(action="ignore"):  # of old pickles; what is wrong is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        why = "holds more than weights and plain values (a pickle can hold code; none of it was run)"
    except (RuntimeError, EOFError, ValueError, OSError, KeyError, AttributeError, TypeError, IndexError):
        why = f"is cut off or damaged at {path.stat().st_size} bytes; fetch or copy it again"
    raise CheckpointError(f"{path} is not a PyTorch file that can be read: it {why}")


def checked_tensors(path: Path, state: object) -> State:
    """Return `state` if it is a table of ordinary tensors of finite numbers.

    Raises
    ------
    CheckpointError
        If it is something else; `path` names the file.
    """
    if not isinstance(state, dict) or not all(isinstance(k, str) and _is_plain(v) for k, v in state.items()):
        raise CheckpointError(f"{path}: its state_dict holds something else than tensors")
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise CheckpointError(f"{path}: some of its weights are not finite numbers; the file is damaged")
    return state


def _is_plain(value: object) -> bool:
    """Whether a value is an ordinary tensor with values in memory."""
    if not isinstance(value, torch.Tensor):
        return False
    return value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized


def _at_first_sight(path: Path) -> str:
    """Return why a file cannot be a PyTorch file by its first bytes; an empty string if it can."""
    with path.open("rb") as stream:
        start = stream.read(40)
    if not start:
        return "it is empty"
    found = what_it_is(path)
    if found == "a Git-LFS pointer":
        return (
            f"it is {found}, a text that stands for the weights; run `git lfs pull` where it comes from, or "
            f"`hypnoflow weights get {path.stem}`"
        )
    if found:
        return f"it is {found}; download the file itself"
    return "" if start.startswith((ZIP, PICKLE)) else f"it begins with {start[:20]!r}"

"""Reading PyTorch files that somebody else may have written: no code in them is run, and what is wrong is said."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from hypnoflow.checkpoints.release import what_it_is
from hypnoflow.errors import CheckpointError, shown

State = dict[str, torch.Tensor]

MOST_SHARED = 4  # tensors may share their numbers
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
    problem = _at_first_sight(path) or _packed(path)
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
    """Return `state` if it is a table of ordinary tensors of finite numbers, that take no more than the file holds.

    Raises
    ------
    CheckpointError
        If it is something else; `path` names the file.
    """
    if not isinstance(state, dict) or not all(isinstance(k, str) and _is_ordinary(v) for k, v in state.items()):
        raise CheckpointError(f"{path}: its state_dict holds something else than tensors")
    stated = sum(value.numel() * value.element_size() for value in state.values())
    if path.is_file() and stated > MOST_SHARED * path.stat().st_size:
        raise CheckpointError(f"{path}: its tensors state {stated / 1e9:.3g} GB, and the file has {_bytes(path)}")
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise CheckpointError(f"{path}: some of its weights are not finite numbers; the file is damaged")
    return state


def difference(state: State, wanted: Mapping[str, torch.Tensor]) -> str:
    """Return the first thing in which tensors differ from the wanted ones; an empty string if nothing does."""
    missing, odd = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or odd:
        some = [f"{len(missing)} tensors missing, such as {missing[0]}"] if missing else []
        some += [f"{len(odd)} tensors too many, such as {odd[0]}"] if odd else []
        return "; ".join(some)
    for key, value in wanted.items():
        if state[key].shape != value.shape:
            return f"{key} is {_size(state[key])}, wanted {_size(value)}"
    return ""


def _size(value: torch.Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "a single number"


def is_plain(value: object) -> bool:
    """Return whether a value is a number or a text, which can be compared and shown."""
    return isinstance(value, bool | int | float | str)


def what_keys(content: Mapping[object, object]) -> str:
    """Return the first keys of a table that a file holds."""
    return ", ".join(shown(f"{key!s:.40}") for key in list(content)[:5])


def _bytes(path: Path) -> str:
    return f"{path.stat().st_size} bytes"


def _is_ordinary(value: object) -> bool:
    """Whether a value is an ordinary tensor with a place in memory for each of its values."""
    if not isinstance(value, torch.Tensor):
        return False
    if value.layout == torch.strided and not value.is_quantized and not value.is_contiguous():
        return False  # one number could stand for any number of values
    return value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized


def _packed(path: Path) -> str:
    """Return why a zip file cannot be PyTorch's, which packs nothing; an empty string if it can."""
    if not zipfile.is_zipfile(path):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            held = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ""  # as torch will say
    size = path.stat().st_size
    return f"it states {held} bytes of content in {size}: packed, as PyTorch packs nothing" if held > size else ""


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

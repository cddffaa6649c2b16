"""Files, folders and patterns → recordings, and the name that each one's outputs bear."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypnoflow.direct.harmonize import find_recordings, recordings_below

SIMULATED = "SIMULATED.json"  # lies in the folder of a simulated cohort


@dataclass(frozen=True, slots=True)
class Input:
    """One recording; `name` is what its outputs are called below the folder of outputs."""

    path: Path
    name: Path
    simulated: bool


def find_inputs(patterns: Sequence[str]) -> tuple[list[Input], dict[str, str]]:
    """Return the recordings among files, folders and shell patterns, and what is wrong with those that gave none.

    Outputs keep the folders below the one that all inputs share; where two recordings of a folder differ in their
    suffix alone, it stays part of the name.

    Raises
    ------
    CohortError
        If there is no such file at all.
    """
    paths, problems = _expand(patterns)
    if not paths:
        return [], problems
    root, found, wrong = find_recordings(paths)
    problems |= {str(path): problem for path, problem in wrong.items()}
    below = [path.relative_to(root) for path in found]
    uses = Counter(str(path.with_suffix("")).lower() for path in below)
    names = [path if uses[str(path.with_suffix("")).lower()] > 1 else path.with_suffix("") for path in below]
    inputs = [Input(path, name, is_simulated(path)) for path, name in zip(found, names, strict=True)]
    return inputs, problems


def is_simulated(path: Path) -> bool:
    """Return whether a recording lies in the folder of a simulated cohort."""
    return any((folder / SIMULATED).exists() for folder in path.absolute().parents)


def _expand(patterns: Sequence[str]) -> tuple[list[Path], dict[str, str]]:
    """Return the paths that patterns match; a path that exists is no pattern, whatever its name holds."""
    paths: list[Path] = []
    problems = {}
    for pattern in patterns:
        if Path(pattern).exists() or not glob.has_magic(pattern):
            paths.append(Path(pattern))
            continue
        matching = [Path(name).absolute() for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 (any root)
        found = recordings_below(matching)  # a pattern may match anything, and asks for recordings
        if not found:
            problems[pattern] = "no recording among what matches" if matching else "nothing matches"
        paths += found
    return paths, problems

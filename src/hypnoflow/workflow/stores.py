"""Whether the stores on disk are what their sibling JSONs say; a damaged one is made again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hypnoflow.io.files import sha256
from hypnoflow.io.progress import track

Thoroughness = Literal["sizes", "hashes"]
PATTERNS = ("harmonized/*/*.json", "score/*/*/*.json")
WORKERS = 16  # waiting for a file server, not computing


@dataclass(frozen=True, slots=True)
class Damage:
    """One output that is not what its sibling JSON says."""

    sibling: Path
    what: str

    def set_aside(self) -> None:
        """Take the sibling away, so that its rule runs again; a store without one counts as unfinished."""
        self.sibling.unlink(missing_ok=True)


def siblings(results: Path) -> list[Path]:
    """Return the sibling JSONs of all stores below `results`, sorted."""
    return sorted(path for pattern in PATTERNS for path in results.glob(pattern))


def damaged(paths: Iterable[Path], how: Thoroughness) -> list[Damage]:
    """Check outputs by their sibling JSONs, and return what is wrong, at most one damage each.

    Parameters
    ----------
    how : {"sizes", "hashes"}
        Compare the size of every file, which finds what is missing or cut off; or read all of it and compare the
        SHA-256, which finds any change.
    """
    paths = list(paths)
    with ThreadPoolExecutor(WORKERS) as pool:
        found = track(pool.map(lambda path: check(path, how), paths), len(paths), "verify")
        return [damage for damage in found if damage is not None]


def check(sibling: Path, how: Thoroughness) -> Damage | None:
    """Return what is wrong with the output beside one sibling JSON."""
    try:
        facts = json.loads(sibling.read_text())
    except (OSError, ValueError) as error:
        return Damage(sibling, f"the JSON is not readable ({error})")
    for problem in _problems(sibling, facts, how):
        return Damage(sibling, problem)
    return None


def _problems(sibling: Path, facts: dict[str, Any], how: Thoroughness) -> Iterator[str]:
    store = sibling.with_suffix(".zarr")
    if "recordings" in facts and "bytes" in facts:
        yield from _of_store(store, facts, how)
    elif "recordings" in facts and isinstance(facts["recordings"], dict):
        yield "it is of an older version of hypnoflow, which did not note the sizes of files"
    elif "sha256" in facts:
        yield from _of_file(sibling.with_suffix(".ckpt"), facts["sha256"])


def _of_store(store: Path, facts: dict[str, Any], how: Thoroughness) -> Iterator[str]:
    if not (store / "zarr.json").is_file():
        yield "the store is missing"
        return
    for name, files in facts["bytes"].items():
        for path, wanted in files.items():
            found = _size(f"{store}/{name}/{path}")
            if found != wanted:
                yield f"{name}/{path} has {found} bytes, written were {wanted}"
                return
    if how == "hashes":
        from hypnoflow.io.store import content_hash  # imports zarr and xarray, which no start needs

        for name, wanted in facts["recordings"].items():
            if content_hash(store / name) != wanted:
                yield f"{name} is not what was written (SHA-256)"
                return


def _of_file(path: Path, wanted: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{path.name} is missing"
    elif sha256(path) != wanted:
        yield f"{path.name} is not what was written (SHA-256)"


def _size(path: str) -> int:
    """Return a file's size, bytes; a Path for each of a million files would take four times as long as the look."""
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0

"""Whether what is on disk is what the JSON beside it says; what is damaged is made again."""

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
from hypnoflow.io.provenance import SIBLINGS

Thoroughness = Literal["sizes", "hashes"]
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
    """Return the JSONs that the stages left below `results`, sorted."""
    return sorted(path for pattern in SIBLINGS.values() for path in results.glob(pattern))


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
    if "provenance" not in facts:  # somebody's own file, in a folder of results
        return
    if "files" not in facts:
        yield "it is of an older version of hypnoflow, which did not note the hashes of files"
        return
    for name, wanted in facts["files"].items():
        yield from _of_file(sibling.parent / name, wanted, how)
    if "bytes" in facts:
        yield from _of_store(sibling.with_suffix(".zarr"), facts, how)


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


def _of_file(path: Path, wanted: dict[str, Any], how: Thoroughness) -> Iterator[str]:
    found = _size(str(path))
    if found != wanted["bytes"]:
        yield f"{path.name} has {found} bytes, written were {wanted['bytes']}"
    elif how == "hashes" and sha256(path) != wanted["sha256"]:
        yield f"{path.name} is not what was written (SHA-256)"


def _size(path: str) -> int:
    """Return a file's size, bytes; a Path for each of a million files would take four times as long as the look."""
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0

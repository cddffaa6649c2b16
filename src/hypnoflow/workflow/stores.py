"""Whether what is on disk is what the JSON beside it says; what is damaged is made again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hypnoflow.io.files import sha256
from hypnoflow.io.progress import track
from hypnoflow.io.provenance import SIBLINGS

Thoroughness = Literal["sizes", "hashes"]
WORKERS = 16  # waiting for a file server, not computing


@dataclass(frozen=True, slots=True)
class Damage:
    """One output that is not what its sibling JSON says, or of which another is wanted.

    Attributes
    ----------
    file : Path or None
        The damaged file, if it is one that other rules may read without a look at the JSON.
    """

    sibling: Path
    what: str
    file: Path | None = None

    def set_aside(self) -> None:
        """Take away the sibling and the damaged file, so that its rule runs again.

        A store stays: without its sibling it counts as unfinished, and what is whole in it is taken over.
        """
        self.sibling.unlink(missing_ok=True)
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def siblings(results: Path) -> list[Path]:
    """Return the JSONs that the stages left below `results`, sorted."""
    found = (path for pattern in SIBLINGS.values() for path in results.glob(pattern))
    return sorted(path for path in found if not path.name.startswith("."))


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
    if not _of_a_stage(facts):  # somebody's own file, in a folder of results
        return None
    return next(_problems(sibling, facts, how), None)


def _of_a_stage(facts: Any) -> bool:
    made = facts.get("provenance") if isinstance(facts, dict) else None
    return isinstance(made, dict) and made.get("stage") in SIBLINGS


def _problems(sibling: Path, facts: dict[str, Any], how: Thoroughness) -> Iterator[Damage]:
    if "files" not in facts:
        yield Damage(sibling, "it is of an older version of hypnoflow, which did not note the hashes of files")
        return
    for name, wanted in facts["files"].items():
        for problem in _of_file(sibling.parent / name, wanted, how):
            yield Damage(sibling, problem, sibling.parent / name)
    if "bytes" in facts:
        for problem in _of_store(sibling.with_suffix(".zarr"), facts, how):
            yield Damage(sibling, problem)


def _of_store(store: Path, facts: dict[str, Any], how: Thoroughness) -> Iterator[str]:
    if not (store / "zarr.json").is_file():
        yield "the store is missing"
        return
    for name, files in facts["bytes"].items():
        for path, wanted in files.items():
            found = _size(f"{store}/{name}/{path}")
            if found != wanted:
                yield f"{name}/{path} {_sized(found)}, written were {wanted} bytes"
                return
    if how == "hashes":
        from hypnoflow.io.store import content_hash  # imports zarr and xarray, which no start needs

        for name, wanted in facts["recordings"].items():
            yield from _compared(name, partial(content_hash, store / name), wanted)


def _of_file(path: Path, wanted: dict[str, Any], how: Thoroughness) -> Iterator[str]:
    found = _size(str(path))
    if found != wanted["bytes"]:
        yield f"{path.name} {_sized(found)}, written were {wanted['bytes']} bytes"
    elif how == "hashes":
        yield from _compared(path.name, partial(sha256, path), wanted["sha256"])


def _compared(name: str, read: Callable[[], str], wanted: str) -> Iterator[str]:
    """Yield a problem if the hash that `read` gives is not the one wanted, or cannot be had from this disk."""
    try:
        if read() != wanted:
            yield f"{name} is not what was written (SHA-256)"
    except OSError as error:
        yield f"{name} cannot be read ({error.strerror or error})"


def _size(path: str) -> int | None:
    """Return a file's size, bytes; a Path for each of a million files would take four times as long as the look."""
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return None


def _sized(found: int | None) -> str:
    return "is missing" if found is None else f"has {found} bytes"

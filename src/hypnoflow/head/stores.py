"""Whether what is on disk is what the JSON beside it says; what is damaged is made again."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hypnoflow.errors import shown
from hypnoflow.facts.claim import forget
from hypnoflow.facts.files import read_json, sha256
from hypnoflow.facts.layout import RECORDS
from hypnoflow.facts.ours import foreign_in, is_size, listed, plain_name, plain_path, record_of
from hypnoflow.facts.ours import set_aside as aside
from hypnoflow.facts.progress import track

Thoroughness = Literal["sizes", "hashes"]
KINDS = (".parquet", ".ckpt", ".html", ".json", ".csv")  # of the files that stages list
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
        """Take away the sibling, and give a damaged file another name, so that its rule runs again.

        A store stays: without its sibling it counts as unfinished, and what is whole in it is taken over. A sibling
        that cannot be read gets another name too, and so do the files that are called like one whose list cannot be
        believed: they may be somebody's.
        """
        facts = record_of(self.sibling)
        if facts is None or (facts.get("files") and not listed(facts)):
            for path in self.sibling.parent.glob(f"{glob.escape(self.sibling.stem)}.*"):
                if path != self.sibling and path.is_file() and not path.is_symlink():
                    aside(path)
        if facts is None:
            aside(self.sibling)
        else:
            forget(self.sibling)
        if self.file is not None:
            aside(self.file)


def siblings(results: Path) -> list[Path]:
    """Return the JSONs that the stages left below `results`, sorted; none that is reached through a link."""
    found = (path for pattern in RECORDS.values() for path in results.glob(pattern))
    return sorted(path for path in found if not path.name.startswith(".") and not leads_elsewhere(path, results))


def leads_elsewhere(path: Path, top: Path) -> bool:
    """Return whether something on the way from `top` to `path`, or the path itself, is a link."""
    below = path.relative_to(top)
    return any((top / part).is_symlink() for part in (below, *below.parents) if part != Path())


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
        facts = read_json(sibling)
    except (OSError, ValueError) as error:
        return Damage(sibling, f"the JSON is not readable ({error})")
    if not _of_a_stage(facts):  # somebody's own file, in a folder of results
        return None
    try:
        return next(_problems(sibling, facts, how), None)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return Damage(sibling, f"the JSON makes no sense ({type(error).__name__}: {error!s:.100})")


def _of_a_stage(facts: Any) -> bool:
    made = facts.get("provenance") if isinstance(facts, dict) else None
    return isinstance(made, dict) and made.get("stage") in RECORDS


def _problems(sibling: Path, facts: dict[str, Any], how: Thoroughness) -> Iterator[Damage]:
    if "files" not in facts:
        yield Damage(sibling, "it is of an older version of hypnoflow, which did not note the hashes of files")
        return
    for name, wanted in facts["files"].items():
        if not _is_ours_to_check(name, sibling, facts) or not is_size(wanted):
            yield Damage(sibling, f"the JSON lists {shown(name)!r:.100}, which is no file of this stage's beside it")
            return
        for problem in _of_file(sibling.parent / name, wanted, how):
            yield Damage(sibling, problem, sibling.parent / name)
    if "bytes" in facts:
        for problem in _of_store(sibling.with_suffix(".zarr"), facts, how):
            yield Damage(sibling, problem)


def _is_ours_to_check(name: object, sibling: Path, facts: dict[str, Any]) -> bool:
    """Return whether a name is one of a file that such a stage writes, in the JSON's own folder."""
    if not plain_path(name) or leads_elsewhere(sibling.parent / str(name), sibling.parent):
        return False
    if facts["provenance"]["stage"] == "simulate":
        return str(name).split("/")[0] == sibling.stem
    return str(name).endswith(KINDS)


def _of_store(store: Path, facts: dict[str, Any], how: Thoroughness) -> Iterator[str]:
    if store.is_symlink() or not (store / "zarr.json").is_file():
        yield "the store is missing"
        return
    for name, files in facts["bytes"].items():
        if not (name == "" or plain_name(name)) or not all(map(plain_path, files)):
            yield f"the JSON lists {shown(name)!r:.100}, which is no recording of the store"
            return
        folders = {path.rpartition("/")[0] for path in files}
        if any(leads_elsewhere(store / name / folder, store) for folder in folders):
            yield f"{shown(name)} holds a link"
            return
        for path, wanted in files.items():
            found = _size(f"{store}/{name}/{path}")
            if found != wanted:
                yield f"{name}/{path} {_sized(found)}, written were {wanted} bytes"
                return
    if how == "hashes":
        from hypnoflow.store.store_files import content_hash  # imports zarr and xarray, which no start needs

        for name, wanted in facts["recordings"].items():
            odd = foreign_in(store / name) if plain_name(name) else store
            if odd is not None:
                yield f"{shown(name)} is or holds what is no part of a recording, {shown(odd)}"
                return
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
    """Return a plain file's size, bytes; a Path for each of a million files would take four times as long."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _sized(found: int | None) -> str:
    return "is missing" if found is None else f"has {found} bytes"

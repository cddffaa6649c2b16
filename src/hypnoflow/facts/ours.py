"""What is ours: the one place that replaces and deletes.

A file is ours if a JSON of ours beside it, the *record*, lists it; a folder is, if a mark inside says so and it holds
nothing but what that mark, or the layout of a store, accounts for. All else is somebody's: it is refused by its path
and never touched. Nothing is followed through a link, and no name is believed that leads out of its record's folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hypnoflow.errors import OutputError, shown
from hypnoflow.facts.files import read_json, sha256, temporary_beside, write_json

MARK = "hypnoflow"  # attribute of a store's root group, or entry of a folder's mark, that says what of ours it is
HASHED_BYTES = 2**28  # a larger file is known again by its size alone
_LAYOUT = re.compile(r"(?:[^/]+/)*(?:zarr\.json|c(?:/\d+)*)")  # of the files of a Zarr v3 store


def plain_name(name: object) -> bool:
    """Return whether a name read from a file is one: of something in the same folder."""
    return isinstance(name, str) and name not in ("", ".", "..") and not {"/", "\0"} & set(name) and len(name) <= 255


def plain_path(path: object) -> bool:
    """Return whether a path read from a file stays below its folder."""
    return isinstance(path, str) and bool(path) and not path.startswith("/") and all(map(plain_name, path.split("/")))


# --- records ---------------------------------------------------------------------------------------------------------


def record_of(path: Path) -> dict[str, Any] | None:
    """Return what a JSON of ours says; None if there is none, or it is somebody else's."""
    try:
        facts = read_json(path)
    except (OSError, ValueError):
        return None
    made = facts.get("provenance") if isinstance(facts, dict) else None
    return facts if isinstance(made, dict) and isinstance(made.get("hypnoflow"), str) else None


def listed(facts: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the files that a record lists, by their path below its folder, with bytes and sha256.

    One name that is none, and the whole list counts as damaged: empty.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in ("files", "texts"):
        each = (facts or {}).get(name, {})
        if not isinstance(each, dict) or not all(plain_path(path) and is_size(size) for path, size in each.items()):
            return {}
        found |= each
    return found


def is_size(facts: object) -> bool:
    """Return whether something read from a record describes a file."""
    return (
        isinstance(facts, dict)
        and isinstance(facts.get("bytes"), int)
        and facts["bytes"] >= 0
        and isinstance(facts.get("sha256"), str)
    )


def described(file: Path) -> dict[str, Any]:
    """Return how a file is listed in a record."""
    return {"bytes": file.stat().st_size, "sha256": sha256(file)}


def is_as_listed(path: Path, wanted: Mapping[str, Any]) -> bool:
    """Return whether a plain file still is what was written."""
    found = lstat(path)
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_size != wanted["bytes"]:
        return False
    return found.st_size > HASHED_BYTES or sha256(path) == wanted["sha256"]


def lstat(path: Path | str) -> os.stat_result | None:
    """Return what stands under a path, links not followed; None if nothing does."""
    try:
        return os.lstat(path)
    except OSError:
        return None


# --- folders ---------------------------------------------------------------------------------------------------------


def foreign_in(folder: Path, allowed: Iterable[str] | None = None) -> Path | None:
    """Return something in a folder that does not belong there: a link, or a file that is not accounted for.

    Parameters
    ----------
    allowed : iterable of str, optional
        Paths of the files that may be there; without it, those that a Zarr store has.
    """
    names = None if allowed is None else set(allowed)
    for top, folders, files in os.walk(folder):
        below = os.path.relpath(top, folder)
        for name in folders:
            if os.path.islink(os.path.join(top, name)):  # noqa: PTH114, PTH118  (a Path each takes too long)
                return Path(top, name)
        for name in files:
            path = name if below == "." else f"{below}/{name}"
            known = _LAYOUT.fullmatch(path) if names is None else path in names
            found = lstat(os.path.join(top, name))  # noqa: PTH118
            if not known or found is None or not stat.S_ISREG(found.st_mode):
                return Path(top, name)
    return None


def store_mark(store: Path) -> str:
    """Return what kind of store of ours a folder is, "" if it is none."""
    try:
        attributes = read_json(store / "zarr.json")["attributes"]
        return str(attributes[MARK])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def check_store(store: Path, kind: str) -> None:
    """Raise OutputError unless a folder is a store of ours of that kind, and holds nothing else."""
    if store.is_symlink() or not store.is_dir() or store_mark(store) != kind:
        raise OutputError(store, f"is there, and is no store of {kind} made by this version of hypnoflow")
    odd = foreign_in(store)
    if odd is not None:
        raise OutputError(store, f"holds {shown(odd.relative_to(store))}, which is no part of a store")


def write_mark(folder: Path, name: str, facts: Mapping[str, Any], sized: bool = True) -> None:
    """Write the mark of a folder of ours: `facts`, and the files in it now; `sized` if they stay as they are."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size if sized else None for path in files}
    write_json(folder / name, {**facts, "files": sizes})


def check_marked(folder: Path, name: str, what: str) -> None:
    """Raise OutputError unless a folder holds our mark, and nothing else than it lists; `what` it would be."""
    files = None if folder.is_symlink() else _marked(folder / name)
    if files is None:
        raise OutputError(folder, f"is there, and is no {what} made by this version of hypnoflow")
    odd = foreign_in(folder, [name, *files])
    if odd is not None:
        raise OutputError(folder, f"holds {shown(odd.relative_to(folder))}, which is no part of a {what}")
    for path, size in files.items():
        found = lstat(folder / path)
        if found is not None and size is not None and found.st_size != size:
            raise OutputError(folder, f"holds {shown(path)}, which was changed since hypnoflow wrote it")


def _marked(mark: Path) -> dict[str, int | None] | None:
    try:
        files = read_json(mark)["files"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return files if isinstance(files, dict) and all(map(plain_path, files)) else None


def check_apart(path: Path, inputs: Iterable[Path]) -> None:
    """Raise OutputError if a folder that is to be replaced is, holds or lies in something that is read."""
    real = path.resolve()
    for given in inputs:
        other = given.resolve()
        if real == other or real.is_relative_to(other) or other.is_relative_to(real):
            raise OutputError(path, f"is, holds or lies in what is read, {shown(given)}", "name another --out")


def remove_folder(folder: Path) -> None:
    """Remove a folder that one of the checks above has passed; whoever looks sees all of it, or nothing."""
    if not folder.is_symlink() and folder.is_dir():
        doomed = temporary_beside(folder)
        folder.rename(doomed)
        shutil.rmtree(doomed)


def put_in_place(partial: Path, folder: Path) -> None:
    """Give a finished folder its name; what stood there must have passed one of the checks above."""
    old = temporary_beside(folder) if os.path.lexists(folder) else None
    if old is not None:
        folder.rename(old)
    try:
        partial.rename(folder)
    except OSError:
        if old is not None:
            old.rename(folder)
        raise
    if old is not None:
        shutil.rmtree(old)


def remove_file(path: Path, record: Path) -> None:
    """Remove a file that a record of ours lists, or the record itself; links are not followed, others' files stay.

    Raises
    ------
    OutputError
        If it is neither.
    """
    facts = record_of(record)
    mine = facts is not None and (path == record or below(path, record) in listed(facts))
    if not mine:
        raise OutputError(path, "is not listed by a JSON of hypnoflow's beside it", "remove it yourself")
    remove_plain(path)


def set_aside(path: Path) -> Path | None:
    """Give what is damaged a hidden name beside it, and return that: nothing is lost if it was somebody's."""
    found = lstat(path)
    if found is None:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OutputError(path, "is no plain file", "move it away")
    aside = temporary_beside(path).with_suffix(".damaged")
    path.rename(aside)
    return aside


def remove_plain(path: Path) -> None:
    """Remove a file that the caller knows as ours; OutputError for a link or anything else, which stays."""
    found = lstat(path)
    if found is None:
        return
    if not stat.S_ISREG(found.st_mode):
        raise OutputError(path, "is no plain file", "move it away")
    path.unlink()


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing; a link stays, and so does a folder that holds something."""
    if not folder.is_symlink():
        with contextlib.suppress(OSError):
            folder.rmdir()


def below(path: Path, record: Path) -> str:
    """Return a path as a record beside or above it lists it; empty where it lies elsewhere."""
    return path.relative_to(record.parent).as_posix() if path.is_relative_to(record.parent) else ""

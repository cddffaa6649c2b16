"""The files of a store: how it grows beside its name, and how it is known again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import zarr
from zarr.errors import ZarrUserWarning

from hypnoflow.errors import OutputError
from hypnoflow.facts.claim import Claim
from hypnoflow.facts.files import open_plain, read_json, temporary_beside
from hypnoflow.facts.ours import MARK, check_store, foreign_in, remove_folder, store_mark

HARMONIZED, SCORES = "harmonized recordings", "scores"  # what a store may be of, as its mark says


def start_store(path: Path, recipe: str, kind: str = HARMONIZED, of: str = "") -> None:
    """Create an empty store, or go on with one that was made so."""
    path.mkdir(parents=True, exist_ok=True)
    zarr.open_group(path, mode="a", zarr_format=3, attributes={MARK: kind, "of": of, "recipe": recipe})


def begin_store(claim: Claim, store: Path, kind: str, recipe: str, of: str) -> Path:
    """Return the folder in which a store grows: a new one, or what a killed run with the same recipe left.

    Parameters
    ----------
    kind : str
        What it is a store of: `HARMONIZED` or `SCORES`.
    of : str
        Whose: a cohort's, or one shard's of it.
    """
    partial, begun = claim.partial(store)
    if begun and (zarr_attrs(partial).get("recipe") != recipe or store_mark(partial) != kind or foreign_in(partial)):
        with contextlib.suppress(OutputError):
            check_store(partial, kind)
            remove_folder(partial)
        partial, _ = claim.partial(store, anew=True)
    start_store(partial, recipe, kind, of)
    return partial


def carry_over(store: Path, partial: Path, names: Iterable[str]) -> None:
    """Take finished recordings of a store over into the one that will replace it, without a second copy if possible."""
    for name in names:
        target = partial / name
        if not target.exists():
            unfinished = temporary_beside(target)
            shutil.copytree(store / name, unfinished, copy_function=_linked, symlinks=True)
            unfinished.rename(target)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # a file system that gives a file one name only
        shutil.copy2(source, target, follow_symlinks=False)


def consolidate(store: Path) -> None:
    """Gather the metadata of all recordings at the root, where ``xr.open_zarr(store, group=...)`` looks for it."""
    with warnings.catch_warnings():
        # Zarr v3 has not yet specified consolidated metadata; xarray uses it all the same, and complains without.
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(store)


def zarr_attrs(group: Path) -> dict[str, Any]:
    """Return a group's attributes, empty where there is no readable group."""
    try:
        return dict(read_json(group / "zarr.json").get("attributes", {}))
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def finished_group(store: Path, recording: str, recipe: str) -> dict[str, Any] | None:
    """Return the QC row of a recording that an interrupted run had finished, else None."""
    attributes = zarr_attrs(store / recording)
    return attributes.get("qc") if attributes.get("recipe") == recipe else None


def drop_others(store: Path, recordings: Iterable[str]) -> None:
    """Remove groups of other recordings, which an interrupted run with another manifest may have left."""
    for path in set(store.iterdir()) - {store / name for name in recordings}:
        remove_folder(path)


def store_sizes(store: Path, recordings: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return `file_sizes` of each recording, and under the empty name the store's own metadata."""
    own = {"": {"zarr.json": (store / "zarr.json").stat().st_size}}
    return own | {name: file_sizes(store / name) for name in recordings}


def file_sizes(group: Path) -> dict[str, int]:
    """Return the size of every file below a group, bytes, by its path in the group."""
    found = sorted(path for path in group.rglob("*") if not path.is_dir() or path.is_symlink())
    return {path.relative_to(group).as_posix(): path.lstat().st_size for path in found}


def content_hash(group: Path) -> str:
    """Return a hash over all files below a group, names and bytes, in order of name; OSError for what is no file."""
    digest = hashlib.sha256()
    for path in sorted(p for p in group.rglob("*") if not p.is_dir() or p.is_symlink()):
        digest.update(str(path.relative_to(group)).encode(errors="surrogateescape"))
        with open_plain(path) as file:
            digest.update(file.read())
    return digest.hexdigest()

"""Whether a folder of results is one, and holds nothing of anybody's where outputs are planned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hypnoflow.errors import WorkflowError, shown
from hypnoflow.facts.claim import noted
from hypnoflow.facts.files import read_json
from hypnoflow.facts.layout import RECORDS
from hypnoflow.facts.ours import listed, lstat, record_of
from hypnoflow.head.head import NAME
from hypnoflow.head.lost import Plan
from hypnoflow.head.stores import leads_elsewhere

FOLDERS = (*dict.fromkeys(pattern.split("/")[0] for pattern in RECORDS.values()), "logs")


def check_results(results: Path, plans: Mapping[str, Plan]) -> None:
    """Raise WorkflowError if outputs would take the place of what is not ours, or go where a link leads.

    Parameters
    ----------
    results : Path
        The folder; it may itself be a link, which is the user's own.
    plans : mapping of str to Plan
        By stage, what is planned.
    """
    link = _first_link(results)
    if link is not None:
        raise WorkflowError(
            f"{shown(link)} is a link to {shown(link.readlink())}, where jobs would write: put the folder itself "
            "there, or set run.results to where it lies; the folder of results may be a link, nothing in it"
        )
    ours = is_results(results)
    theirs = _at_planned_names(results, plans) if ours else _anything(results)
    if theirs is not None:
        damaged = f"; if its JSON was damaged, `hypnoflow verify {shown(results)} --set-aside` moves it" if ours else ""
        raise WorkflowError(
            f"{shown(theirs)} is there, and is not known to be made by hypnoflow; nothing was touched: move it away, "
            f"or set run.results to an empty folder or to one of earlier results{damaged}"
        )


def is_results(results: Path) -> bool:
    """Return whether a run has written to a folder, or it holds results that were handed on."""
    try:
        mark = read_json(results / f".{NAME}")
    except (OSError, ValueError):
        mark = None
    found = (path for pattern in RECORDS.values() for path in results.glob(pattern))
    return isinstance(mark, dict) or any(record_of(path) is not None for path in found)


def _first_link(results: Path) -> Path | None:
    """Return a link in the folders where jobs write; stores and cohorts are looked into when they are verified."""
    for name in FOLDERS:
        if (results / name).is_symlink():
            return results / name
        for top, folders, files in os.walk(results / name):
            for each in (*folders, *files):
                if os.path.islink(os.path.join(top, each)):  # noqa: PTH114, PTH118  (many)
                    return Path(top, each)
            inside = name == "simulate" or top.endswith(".tensorboard")
            folders[:] = [] if inside else [each for each in folders if not each.endswith(".zarr")]
    return None


def _anything(results: Path) -> Path | None:
    """Return some file in the folders where jobs write."""
    for name in FOLDERS:
        if lstat(results / name) is not None and not (results / name).is_dir():
            return results / name
        for top, _, files in os.walk(results / name):
            if files:
                return Path(top, files[0])
    return None


def _at_planned_names(results: Path, plans: Mapping[str, Plan]) -> Path | None:
    """Return a file under the name of a planned output that neither a JSON of ours nor a killed job accounts for."""
    for plan in plans.values():
        for record, others in plan.all_outputs():
            facts = record_of(record)
            if facts is None and _is_sound(record):
                return record
            known = {record.name, *listed(facts), *noted(record)}
            if facts is not None and "files" not in facts:
                continue  # of an older version, which listed nothing
            for path in others:
                if path.name not in known and lstat(path) is not None and not leads_elsewhere(path, results):
                    return path
    return None


def _is_sound(record: Path) -> bool:
    """Return whether there is a JSON; one that is torn may be ours, and is set aside under another name."""
    try:
        read_json(record)
    except OSError:
        return False
    except ValueError:
        return not _torn(record)
    return True


def _torn(record: Path) -> bool:
    return record.read_bytes()[:1] in (b"", b"{", b"\0")

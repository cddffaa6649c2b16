"""Removing results: what the JSONs of the stages list, their stores and logs, and nothing else."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from hypnoflow.errors import OutputError
from hypnoflow.facts.claim import journal_of
from hypnoflow.facts.layout import RECORDS, RUNS
from hypnoflow.facts.ours import (
    check_marked,
    check_store,
    is_as_listed,
    listed,
    lstat,
    record_of,
    remove_folder,
    remove_if_empty,
    remove_plain,
    store_mark,
)
from hypnoflow.head.head import NAME
from hypnoflow.head.stores import leads_elsewhere
from hypnoflow.head.verify import kept_from_runs

log = logging.getLogger(__name__)

FEW = 20  # files are named, the rest counted

FOLDERS = {"simulate": ("", "SIMULATED.json"), "train": (".tensorboard", "hypnoflow.json")}  # by stage: ending, mark

LOGS = {"provenance": "report"}  # whose log is called otherwise than the JSON


def clean_folder(results: Path) -> None:
    """Remove the results of the workflow from a folder, and say what stays."""
    if not results.is_dir():
        log.info("there is no folder %s", results)
        return
    with kept_from_runs(results):
        left = clean(results)
    for path in left[:FEW]:
        log.info("stays, not known to be of hypnoflow: %s", path)
    log.info("%s is clean%s", results, f", but for {len(left)} files" if left else "")


def clean(results: Path) -> list[Path]:
    """Remove all results of ours from a folder, and return the files that stay: they are not known to be ours.

    Raises
    ------
    OutputError
        If the folder is a link: what lies behind it is not to be removed by the way.
    """
    if results.is_symlink():
        raise OutputError(results, f"is a link to {results.readlink()}", "name the folder itself")
    for stage, pattern in RECORDS.items():
        for record in sorted(results.glob(pattern)):
            if not leads_elsewhere(record, results) and record_of(record) is not None:
                with contextlib.suppress(OutputError):
                    _remove(stage, record, results)
    for name in (f".{NAME}", RUNS):
        with contextlib.suppress(OutputError):
            if not leads_elsewhere(results / name, results):
                remove_plain(results / name)
    for top, _, _ in os.walk(results, topdown=False):
        if Path(top) != results:
            remove_if_empty(Path(top))
    return sorted(Path(top, name) for top, _, names in os.walk(results) for name in names)


def _remove(stage: str, record: Path, results: Path) -> None:
    """Remove what one job made: stores and folders, files that are as it left them, its logs, and last the record."""
    ending, mark = FOLDERS.get(stage, ("", ""))
    folder, store = record.with_suffix(ending), record.with_suffix(".zarr")
    if mark and lstat(folder) is not None:
        check_marked(folder, mark, f"folder of {stage}")
        remove_folder(folder)
    if lstat(store) is not None:
        check_store(store, store_mark(store))
        remove_folder(store)
    for name, wanted in listed(record_of(record)).items():
        if is_as_listed(record.parent / name, wanted):
            remove_plain(record.parent / name)
    *folders, name = record.relative_to(results).with_suffix("").parts[1:]
    for ending in (".log", ".tsv"):
        log = results.joinpath("logs", stage, *folders, LOGS.get(name, name) + ending)
        if not leads_elsewhere(log, results):
            remove_plain(log)
    remove_plain(record)
    remove_plain(journal_of(record))

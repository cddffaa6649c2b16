"""`hypnoflow download`: a cohort's files into one folder, in the layout that the cohort's `discover` finds."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
from pathlib import Path

from hypnoflow.download._client import Client, MissingError, PassingError, TransferError
from hypnoflow.download._files import RemoteFile, Source, fault, first_recordings, safe_path
from hypnoflow.download.nsrr import TOKEN_VARIABLE
from hypnoflow.download.rar import unpack
from hypnoflow.download.sources import SOURCES
from hypnoflow.errors import CohortError, ConfigError, did_you_mean
from hypnoflow.io.files import replacing, write_json
from hypnoflow.io.progress import track

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 5  # failures in a row: the server is down, or refuses everything
FULL = (errno.ENOSPC, errno.EDQUOT)


def source_of(cohort: str) -> Source:
    """Return where a cohort is; ConfigError if that is not known."""
    if cohort not in SOURCES:
        known = ", ".join(sorted(SOURCES))
        raise ConfigError(f"no source is known for {cohort!r}{did_you_mean(cohort, SOURCES)} (known: {known})")
    return SOURCES[cohort]


def connect(source: Source) -> Client:
    """Return a client for a source, with the user's token where it needs one.

    Raises
    ------
    ConfigError
        If the token is missing, or cannot be one.
    """
    if not source.needs_token:
        return Client(refusal="docs/data.md says where the cohort is published")
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise ConfigError(
            f"this cohort needs your token of the National Sleep Research Resource: copy it from "
            f"https://sleepdata.org/token and set the environment variable {TOKEN_VARIABLE} to it"
        )
    if not re.fullmatch(r"[\w.~-]+", token):
        raise ConfigError(
            f"{TOKEN_VARIABLE} holds characters that no token has; copy it from sleepdata.org/token again"
        )
    return Client(token, refusal=str(getattr(source, "refusal", "")))


def download(source: Source, out: Path, n: int | None, client: Client) -> dict[str, str]:
    """Fetch a cohort into the folder `out`; a second call goes on where the first one stopped.

    Files that are there with the published size and checksum are left alone. The others are fetched into
    ``NAME.part``, checked, and renamed. What failed is written to ``failed.txt`` and ``failed.json``.

    Parameters
    ----------
    source : Source
        Where the cohort is.
    n : int, optional
        Only the files of the first `n` recordings, and the tables.

    Returns
    -------
    dict
        What failed: path → why.

    Raises
    ------
    CohortError
        If the server's listing cannot be had, or `out` cannot be written to.
    """
    files = first_recordings(source.files(client), n)
    targets = {file.path: safe_path(out, file.path) for file in files}
    recordings = len({file.recording for file in files} - {""})
    size_gb = sum(file.size or 0 for file in files) / 1e9
    log.info("%d files of %d recordings%s", len(files), recordings, f", {size_gb:.1f} GB" if size_gb else "")
    try:
        failed = _fetch_all(files, targets, client)
        _write_failed(out, failed)
    except OSError as error:
        raise _disk_error(out, error) from None
    return failed


def _fetch_all(files: list[RemoteFile], targets: dict[str, Path], client: Client) -> dict[str, str]:
    failed: dict[str, str] = {}
    in_a_row = finished = 0
    # One line per file where nobody watches; on a terminal the bar says it.
    level = logging.DEBUG if sys.stderr.isatty() else logging.INFO
    for at, file in enumerate(track(files, len(files), "download"), start=1):
        if in_a_row >= GIVE_UP_AFTER:
            failed[file.path] = f"not tried, after {GIVE_UP_AFTER} failures in a row"
            continue
        try:
            if _is_done(file, targets[file.path]):
                finished += 1
            else:
                _fetch(file, targets[file.path], client)
                log.log(level, "%d/%d %s", at, len(files), file.path)
            in_a_row = 0
        except CohortError as error:
            log.warning("%s", error)
            failed[file.path] = str(error)
            # A file that is not there says nothing about the others.
            in_a_row = 0 if isinstance(error, MissingError) else in_a_row + 1
    if finished:
        log.info("%d files were there already", finished)
    return failed


def _is_done(file: RemoteFile, target: Path) -> bool:
    if file.unpacked and target.with_name(file.unpacked).is_dir():
        return True
    return not file.unpacked and target.is_file() and not fault(file, target)


def _fetch(file: RemoteFile, target: Path, client: Client) -> None:
    """Fetch one file from the first of its addresses that has it, check it, and give it its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    for url in file.urls:
        try:
            _fetch_from(url, file, part, client)
            break
        except TransferError:
            if url == file.urls[-1]:
                raise
            part.unlink(missing_ok=True)  # another host's file need not go on where this one stopped
    part.replace(target)
    if file.unpacked:
        unpack(target, target.with_name(file.unpacked))


def _fetch_from(url: str, file: RemoteFile, part: Path, client: Client) -> None:
    wrong = 0

    def once() -> None:
        nonlocal wrong
        client.transfer(url, file.path, part, file.size)
        if _is_web_page(part):
            part.unlink()
            raise client.refused(file.path, "the server sent a web page in place of the file")
        problem = fault(file, part)
        if problem:
            part.unlink()
            wrong += 1
            if wrong > 1:
                raise client.error(file.path, f"what arrives is not the published file: {problem}")
            raise PassingError(problem)

    client.patiently(once, file.path)


def _is_web_page(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(200).lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def _write_failed(out: Path, failed: dict[str, str]) -> None:
    """Write the lists of failed files, or remove those of an earlier run."""
    paths = out / "failed.txt", out / "failed.json"
    if not failed:
        for path in paths:
            path.unlink(missing_ok=True)
        return
    write_json(paths[1], failed)
    with replacing(paths[0]) as partial:
        partial.write_text("".join(f"{path}\t{why}\n" for path, why in failed.items()))


def _disk_error(out: Path, error: OSError) -> CohortError:
    place = error.filename or out
    if error.errno in FULL:
        return CohortError(f"no space is left for {out}: free some and run again; finished files are kept")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return CohortError(f"{place} cannot be written: {error.strerror}; choose another folder with --out")
    return CohortError(f"{place}: {error.strerror or type(error).__name__}")

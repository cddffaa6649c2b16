"""`hypnoflow download`: a cohort's files into one folder, in the layout that the cohort's `discover` finds."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
from io import BufferedRandom
from pathlib import Path

from hypnoflow.download._failed import check_failed, write_failed
from hypnoflow.download._files import RemoteFile, Source, checked, fault, first_recordings
from hypnoflow.download._folder import OutFolder, TakenError
from hypnoflow.download.client import Client, MissingError, PassingError, TransferError
from hypnoflow.download.nsrr import TOKEN_VARIABLE
from hypnoflow.download.rar import unpack
from hypnoflow.download.sources import SOURCES
from hypnoflow.errors import CohortError, ConfigError, did_you_mean
from hypnoflow.facts.progress import track

log = logging.getLogger(__name__)

FEW = 20  # failures are named, the rest counted

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

    Files that are there with the published size and checksum are left alone, and so is anything else that has the name
    of one: that file fails. The others arrive in hidden files, are checked, and get their names. What failed is
    written to ``download.json`` and, as lines, to ``failed.txt``.

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
        If the server's listing cannot be had or names what may not be written, if `out` cannot be written to, if
        another download writes to it, or if it has files of the user's under the names of the two above.
    """
    files = first_recordings(checked(source.files(client)), n)
    recordings = len({file.recording for file in files} - {""})
    size_gb = sum(file.size or 0 for file in files) / 1e9
    log.info("%d files of %d recordings%s", len(files), recordings, f", {size_gb:.1f} GB" if size_gb else "")
    try:
        folder = OutFolder(out)
        finished = False
        try:
            check_failed(folder)
            failed = _fetch_all(files, folder, client)
            write_failed(folder, failed)
            finished = not failed and n is None
        finally:
            folder.close(finished=finished)
    except OSError as error:
        raise _disk_error(out, error) from None
    return failed


def _fetch_all(files: list[RemoteFile], folder: OutFolder, client: Client) -> dict[str, str]:
    failed: dict[str, str] = {}
    in_a_row = finished = 0
    # One line per file where nobody watches; on a terminal the bar says it.
    level = logging.DEBUG if sys.stderr.isatty() else logging.INFO
    for at, file in enumerate(track(files, len(files), "download"), start=1):
        if in_a_row >= GIVE_UP_AFTER:
            failed[file.path] = f"not tried, after {GIVE_UP_AFTER} failures in a row"
            continue
        try:
            if _is_done(file, folder):
                finished += 1
            else:
                _fetch(file, folder, client)
                log.log(level, "%d/%d %s", at, len(files), file.path)
            in_a_row = 0
        except CohortError as error:
            log.warning("%s", error)
            failed[file.path] = str(error)
            # A file that is not there, here or on the server, says nothing about the others.
            in_a_row = 0 if isinstance(error, (MissingError, TakenError)) else in_a_row + 1
    if finished:
        log.info("%d files were there already", finished)
    return failed


def _is_done(file: RemoteFile, folder: OutFolder) -> bool:
    """Say whether a file is there as published; TakenError if another one is."""
    if file.unpacked:
        return folder.has_folder(_beside(file))
    with folder.opened(file.path) as stream:
        try:
            problem = fault(file, stream) if stream else ""
        except OSError as error:
            problem = f"it cannot be read: {error.strerror}"
    if problem:
        raise TakenError(
            f"{file.path}: a file of that name is there and is not the published one ({problem}), or one that was "
            "damaged since it was downloaded: move it away, and run again"
        )
    if stream:
        folder.drop_part(file.path)
    return stream is not None


def _beside(file: RemoteFile) -> str:
    """Return where an archive is unpacked to."""
    parent, slash, _ = file.path.rpartition("/")
    return f"{parent}{slash}{file.unpacked}"


def _fetch(file: RemoteFile, folder: OutFolder, client: Client) -> None:
    """Fetch one file from the first of its addresses that has it, check it, and give it its name."""
    with folder.part(file.path) as part:
        for url in file.urls:
            try:
                _fetch_from(url, file, part, client)
                break
            except TransferError:
                if url == file.urls[-1]:
                    raise
                part.truncate(0)  # another host's file need not go on where this one stopped
        part.flush()
        os.fsync(part.fileno())
    if file.unpacked:
        unpack(folder, file.path, _beside(file))
    else:
        folder.finish(file.path)


def _fetch_from(url: str, file: RemoteFile, part: BufferedRandom, client: Client) -> None:
    wrong = 0

    def once() -> None:
        nonlocal wrong
        client.transfer(url, file.path, part, file.size)
        problem = fault(file, part)
        if problem:
            part.truncate(0)
            wrong += 1
            if wrong > 1:
                raise client.error(file.path, f"what arrives is not the published file: {problem}")
            raise PassingError(problem)

    client.patiently(once, file.path)


def _disk_error(out: Path, error: OSError) -> CohortError:
    place = out / (error.filename if isinstance(error.filename, str) else "")
    if error.errno in FULL:
        return CohortError(f"no space is left for {out}: free some and run again; finished files are kept")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return CohortError(f"{place} cannot be written: {error.strerror}; choose another folder with --out")
    return CohortError(f"{place}: {error.strerror or type(error).__name__}")


def download_cohort(cohort: str, folder: Path, n: int | None) -> None:
    """Fetch a cohort, or its first `n` recordings, into `folder`, and say how to use it.

    Raises
    ------
    CohortError
        If files failed; what did is named, and a second call goes on.
    """
    source = source_of(cohort)
    failed = download(source, folder, n, connect(source))
    if failed:
        some = "".join(f"\n  {why}" for why in list(failed.values())[:FEW])
        raise CohortError(f"{len(failed)} files failed, all named in {folder / 'failed.txt'}; run again to go on{some}")
    log.info("%s is complete; set science.cohorts.%s.root to %s", cohort, cohort, folder.resolve())

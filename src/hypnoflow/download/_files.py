"""What a server lists, and what may be written of it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BufferedRandom, BufferedReader
from pathlib import PurePosixPath
from typing import ClassVar, Protocol

from hypnoflow.download._answers import MOST_FILE_BYTES
from hypnoflow.download.client import Client
from hypnoflow.errors import CohortError

OURS = ".hypnoflow-"  # what our own files in an output folder begin with
LONGEST_NAME = 255  # bytes, on every file system that is in use
MOST_FILES = 200_000  # entries in all listings of a cohort; SHHS, the largest, has 17,000 files


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a cohort.

    path : str
        Where it goes, relative to the output folder.
    urls : tuple of str
        Where it is; the next is tried when one fails. May hold a token, so never shown.
    checksum : str
        "md5:…" or "sha256:…"; empty where none is published.
    size : int, optional
        Bytes, where the server says so beforehand.
    recording : str
        What the file belongs to; empty for tables, which are always fetched.
    unpacked : str
        Folder beside it that the archive is unpacked into and replaced by; empty for plain files.
    """

    path: str
    urls: tuple[str, ...] = field(repr=False)
    checksum: str = ""
    size: int | None = None
    recording: str = ""
    unpacked: str = ""


class Source(Protocol):
    """A cohort's place on a kind of server."""

    needs_token: ClassVar[bool]

    def files(self, client: Client) -> list[RemoteFile]:
        """List the cohort's files, recordings in order of name."""


def checked(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    """Return the files, each once; CohortError for a path that may not be written, or stands for two files."""
    by_path: dict[str, RemoteFile] = {}
    for file in files:
        check_path(file.path)
        if by_path.setdefault(file.path, file) != file:
            raise CohortError(f"the server lists two files {file.path!r}: nothing was downloaded")
    return list(by_path.values())


def check_path(path: str) -> None:
    """Do nothing for a path that stays below the folder it is put into; CohortError for another."""
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or "\\" in path or "\0" in path or ":" in PurePosixPath(path).parts[0]:
        what = "would be written outside the output folder"
    elif not path.isprintable():
        what = "has characters that no name has"
    elif any(len(part.encode()) > LONGEST_NAME for part in parts):
        what = "is too long"
    elif any(part.startswith(OURS) for part in parts) or path in ("download.json", "failed.txt"):
        what = "is kept for files of our own"
    else:
        return
    raise CohortError(f"the server lists {path[:1000]!r}, which {what}: nothing was downloaded")


def listed_size(value: object, path: str) -> int | None:
    """Return a size that a listing gives as a number or in digits; None where it gives none.

    Raises
    ------
    CohortError
        For anything else, and for more than `MOST_FILE_BYTES`.
    """
    if value is None or value == "":
        return None
    text = str(value)[:40]
    if isinstance(value, bool | float) or not re.fullmatch("[0-9]{1,18}", text) or int(text) > MOST_FILE_BYTES:
        raise CohortError(
            f"the server lists {path!r} with a size of {text!r}, which is no number of bytes up to {MOST_FILE_BYTES}: "
            "nothing was downloaded"
        )
    return int(text)


def first_recordings(files: Iterable[RemoteFile], n: int | None) -> list[RemoteFile]:
    """Keep the files of the first `n` recordings, in the server's order, and all tables."""
    files = list(files)
    names = list(dict.fromkeys(file.recording for file in files if file.recording))
    kept = {"", *names[:n]}
    return [file for file in files if file.recording in kept]


def fault(file: RemoteFile, stream: BufferedRandom | BufferedReader) -> str:
    """Return what is wrong with an open file, an empty string where size and checksum are as published."""
    found_bytes = stream.seek(0, os.SEEK_END)
    if file.size is not None and found_bytes != file.size:
        return f"{found_bytes} bytes in place of {file.size}"
    if file.checksum:
        kind, _, wanted = file.checksum.partition(":")
        stream.seek(0)
        found = hashlib.file_digest(stream, kind).hexdigest()
        if found != wanted.lower():
            return f"{kind} {found} in place of {wanted}"
    return ""

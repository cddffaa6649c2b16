"""What a server lists, and what may be written of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Protocol

from hypnoflow.download._client import Client
from hypnoflow.errors import CohortError


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
        Folder that the archive is unpacked into and replaced by; empty for plain files.
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


def safe_path(folder: Path, path: str) -> Path:
    """Return `path` below `folder`; CohortError for a path that would leave it."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path or ":" in parts[0]:
        raise CohortError(f"the server lists {path!r}, which would be written outside {folder}: nothing was downloaded")
    return folder.joinpath(*parts)


def first_recordings(files: Iterable[RemoteFile], n: int | None) -> list[RemoteFile]:
    """Keep the files of the first `n` recordings, in the server's order, and all tables."""
    files = list(files)
    names = list(dict.fromkeys(file.recording for file in files if file.recording))
    kept = {"", *names[:n]}
    return [file for file in files if file.recording in kept]


def fault(file: RemoteFile, path: Path) -> str:
    """Return what is wrong with the file at `path`, an empty string where size and checksum are as published."""
    if file.size is not None and path.stat().st_size != file.size:
        return f"{path.stat().st_size} bytes in place of {file.size}"
    if file.checksum:
        kind, _, wanted = file.checksum.partition(":")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, kind).hexdigest()
        if found != wanted.lower():
            return f"{kind} {found} in place of {wanted}"
    return ""

"""Files of somebody else, which may change, vanish or fail at any moment: what is read is what was opened, or an error.

Such a file is read, never mapped: a page of a mapped file that was cut off kills the process that touches it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hypnoflow.errors import RecordingError

WAIT = "wait until whatever writes it is done, and run again"
UNSOUND = "see whether the disk or the network drive is sound, and run again"


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one state of a file from another."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result, path: Path) -> Identity:
        """Return a file's identity; RecordingError where it is a folder, a device or a pipe."""
        if not stat.S_ISREG(found.st_mode):
            raise RecordingError("it is no file", path=path)
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)

    def check(self, now: Identity, path: Path) -> None:
        """Raise RecordingError if the file is no more what it was when it was opened."""
        if now.size < self.size:
            raise cut_off(self.size, now.size, path)
        if now != self:
            said = f": {self.size} bytes were there when it was opened, {now.size} now" if now.size > self.size else ""
            raise RecordingError(f"was changed while it was read{said}", path=path, hint=WAIT)


class Snapshot:
    """The files that a recording is read from, as they are before any of them is opened.

    Raises
    ------
    RecordingError
        If one of them is not there, or is no regular file.
    """

    def __init__(self, paths: Iterable[Path]):
        self._seen: dict[Path, Identity] = {}
        for path in paths:
            with reading(path):
                self._seen[path] = Identity.of(path.stat(), path)

    def check(self) -> None:
        """Raise RecordingError if one of the files was changed, cut off or taken away since."""
        for path, before in self._seen.items():
            try:
                found = path.stat()
            except FileNotFoundError as error:
                raise vanished(path) from error
            except OSError as error:
                raise failed(error, path) from error
            before.check(Identity.of(found, path), path)


def cut_off(before: int, now: int, path: Path) -> RecordingError:
    """Return the error of a file that became shorter."""
    return RecordingError(
        f"was cut off while it was read: {before} bytes were there when it was opened, {now} now", path=path, hint=WAIT
    )


def vanished(path: Path) -> RecordingError:
    """Return the error of a file that is no more there."""
    return RecordingError("vanished while it was read", path=path, hint=WAIT)


def failed(error: OSError, path: Path) -> RecordingError:
    """Return what the system said of a file, as the error of its recording."""
    words = error.strerror or " ".join(str(error).split()) or type(error).__name__
    number = f" (errno {error.errno})" if error.errno else ""
    hint = "" if isinstance(error, FileNotFoundError | PermissionError) else UNSOUND
    if isinstance(error.filename, str | bytes):
        return RecordingError(f"cannot be opened: {words}{number}", path=Path(os.fsdecode(error.filename)), hint=hint)
    return RecordingError(f"cannot be read: {words}{number}", path=path, hint=hint)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError into a RecordingError with the system's words; `path` is named where the error names no file."""
    try:
        yield
    except OSError as error:
        raise failed(error, path) from error


@contextmanager
def opened(path: Path, identity: Identity) -> Iterator[int]:
    """Open a file for `read_into` and yield its descriptor; it is compared with `identity` before and after.

    Raises
    ------
    RecordingError
        If it cannot be opened or read, or is not what it was.
    """
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise vanished(path) from error
    except OSError as error:
        raise failed(error, path) from error
    with file, reading(path):
        identity.check(Identity.of(os.fstat(file.fileno()), path), path)
        yield file.fileno()
        identity.check(Identity.of(os.fstat(file.fileno()), path), path)


def read_into(descriptor: int, buffer: Any, at: int) -> int:
    """Read bytes of a file from `at` on until `buffer` is full or the file ends; return how many there were.

    The file's position is not used, so that threads can read side by side.
    """
    view, done = memoryview(buffer).cast("B"), 0
    while done < len(view):
        n = os.preadv(descriptor, [view[done:]], at + done)
        if n == 0:
            break
        done += n
    return done


def own_name(name: str, suffixes: tuple[str, ...], what: str) -> str:
    """Return a name that a header gives to another file of its recording.

    Raises
    ------
    ValueError
        If it leads out of the recording's folder, or is not of the kind expected.
    """
    plain = name == PurePosixPath(name).name and not set(name) & set("\\:\0\r\n") and name not in ("", ".", "..")
    if not plain or PurePosixPath(name).suffix.lower() not in suffixes:
        raise ValueError(
            f"{what} names {name!r}; only a file of the recording's own folder that ends in {' or '.join(suffixes)} "
            "is read"
        )
    return name

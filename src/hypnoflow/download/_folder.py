"""The output folder while one download writes to it: nothing of the user's is replaced, and no link is followed in it.

What arrives lies at the folder's top, in files whose names hold a random token, until it is whole. The token is kept in
a hidden record, so that a later run goes on where a killed one stopped; the record is also what a download locks. On
a file system without locks nobody is told of a second download; each file is whole even so.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom, BufferedReader
from pathlib import Path

from hypnoflow.download._files import OURS
from hypnoflow.download.client import TransferError
from hypnoflow.errors import CohortError

log = logging.getLogger(__name__)

MADE_BY = "hypnoflow download"
RECORD = f"{OURS}download.json"
RECORD_BYTES = 1000  # more than any record has
NO_LINKS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # and no waiting for whoever fills a pipe
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_LINKS
NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class TakenError(TransferError):
    """Something of somebody else's stands where a file is to go; it is left as it is."""


class OutFolder:
    """An output folder, claimed until it is closed.

    Parameters
    ----------
    path : Path
        Made if need be. It may be a link itself; what lies in it may not.

    Raises
    ------
    CohortError
        If another download works in it, or its record is no record of ours.
    OSError
        If it cannot be written to.
    """

    def __init__(self, path: Path):
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._record, self._token = self._claim()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self, *, finished: bool) -> None:
        """Let go of the folder: `finished` says that no begun file is needed any more. Without such the record goes."""
        try:
            if finished:
                for name in self._leftovers():
                    self._remove(name)
            if not self._leftovers() and self._is_record(self._record):
                os.unlink(RECORD, dir_fd=self._fd)
        finally:
            os.close(self._record)
            os.close(self._fd)

    @contextmanager
    def part(self, path: str) -> Iterator[BufferedRandom]:
        """Yield the file in which `path` arrives, open for reading and writing, with what an earlier run left in it.

        Raises
        ------
        TakenError
            If something else stands there.
        """
        name = self._part_name(path)
        stream = os.fdopen(self._open_part(name), "r+b")
        try:
            yield stream
        finally:
            try:
                stream.close()
            finally:
                with suppress(FileNotFoundError):
                    if os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_size == 0:
                        os.unlink(name, dir_fd=self._fd)

    def part_path(self, path: str) -> Path:
        """Return where `path` arrives, for a program that takes no open file."""
        return self.path / self._part_name(path)

    def drop_part(self, path: str) -> None:
        """Remove what has arrived of `path`."""
        self.remove(self._part_name(path))

    def finish(self, path: str) -> None:
        """Give what arrived its name; TakenError, and nothing is changed, if something stands there."""
        with self._parent(path, make=True) as (folder, name):
            try:
                self._rename(self._part_name(path), name, folder)
            except FileExistsError:
                raise TakenError(
                    f"{path}: something of that name has come up meanwhile: move it away, and run again"
                ) from None
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                raise TakenError(
                    f"{path}: its folder is on another file system than {self.path}: download to there"
                ) from None

    @contextmanager
    def opened(self, path: str) -> Iterator[BufferedReader | None]:
        """Yield the file that stands at `path`, open for reading, or None; TakenError for what is no plain file."""
        try:
            with self._parent(path, make=False) as (folder, name):
                stream = os.fdopen(os.open(name, os.O_RDONLY | NO_LINKS, dir_fd=folder), "rb")
        except FileNotFoundError:
            yield None
            return
        except IsADirectoryError:
            raise _taken(path, "a folder") from None
        except OSError as error:
            raise _taken(
                path, "a link" if error.errno == errno.ELOOP else f"what cannot be read ({error.strerror})"
            ) from None
        with stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise _taken(path, "something else than a file")
            yield stream

    def replace(self, name: str, data: bytes) -> None:
        """Write a file of our own at the folder's top, in place of the one there; the caller knows that to be ours."""
        beside = self._new_name()
        with os.fdopen(os.open(beside, NEW, 0o666, dir_fd=self._fd), "wb") as file:
            file.write(data)
        os.replace(beside, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Remove a file of our own at the folder's top, if it is there; the caller knows that to be ours."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def has_folder(self, path: str) -> bool:
        """Say whether a folder with something in it stands at `path`; TakenError for anything else there."""
        try:
            with self._parent(path, make=False) as (folder, name):
                there = os.open(name, os.O_RDONLY | os.O_DIRECTORY | NO_LINKS, dir_fd=folder)
        except FileNotFoundError:
            return False
        except OSError:
            raise _taken(path, "a link, a file or what cannot be read") from None
        try:
            with os.scandir(there) as entries:
                if next(entries, None) is None:
                    raise _taken(path, "an empty folder")
        finally:
            os.close(there)
        return True

    def take_folder(self, made: Path, path: str) -> None:
        """Move a folder that was made in a `work_folder` to `path`; TakenError if something stands there."""
        with self._parent(path, make=True) as (folder, name):
            try:
                os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                os.rename(made, name, dst_dir_fd=folder)  # what comes up meanwhile makes it fail, unless it is empty
            else:
                raise _taken(path, "something of that name")

    def work_folder(self) -> Path:
        """Return a new folder of ours inside, for this user only."""
        return Path(tempfile.mkdtemp(prefix=f"{OURS}{self._token}-", dir=self.path.absolute()))

    # --- parts -------------------------------------------------------------------------------------------------

    def _part_name(self, path: str) -> str:
        return f"{OURS}{self._token}-{hashlib.sha256(path.encode()).hexdigest()[:16]}.part"

    def _new_name(self) -> str:
        return f"{OURS}{self._token}-{secrets.token_hex(8)}.part"

    def _open_part(self, name: str) -> int:
        with suppress(FileExistsError):
            return os.open(name, NEW, 0o666, dir_fd=self._fd)
        advice = f"{name} in {self.path} is not what an earlier run left there: move it away, and run again"
        try:
            part = os.open(name, os.O_RDWR | NO_LINKS, dir_fd=self._fd)
        except OSError:
            raise TakenError(advice) from None
        facts = os.fstat(part)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:  # of two names, one may be somebody else's file
            os.close(part)
            raise TakenError(advice)
        return part

    @contextmanager
    def _parent(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """Yield the open folder that `path` lies in, and its name there; no step leads through a link."""
        *folders, name = path.split("/")
        here = os.dup(self._fd)
        try:
            for at, folder in enumerate(folders, start=1):
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=here)
                try:
                    there = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | NO_LINKS, dir_fd=here)
                except OSError as error:
                    if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                        raise
                    raise _taken(path, f"{'/'.join(folders[:at])}, a link or a file,", "in its way") from None
                os.close(here)
                here = there
            yield here, name
        finally:
            os.close(here)

    def _rename(self, part: str, name: str, folder: int) -> None:
        """Rename without replacing: by a second name, or where there is none, after a look."""
        try:
            os.link(part, name, src_dir_fd=self._fd, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            with suppress(FileNotFoundError):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from None
            os.rename(part, name, src_dir_fd=self._fd, dst_dir_fd=folder)
        else:
            os.unlink(part, dir_fd=self._fd)

    def _leftovers(self) -> list[str]:
        with os.scandir(self._fd) as entries:
            return [entry.name for entry in entries if entry.name.startswith(f"{OURS}{self._token}-")]

    def _remove(self, name: str) -> None:
        if stat.S_ISDIR(os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=self._fd)  # goes through no link
        else:
            os.unlink(name, dir_fd=self._fd)

    # --- the record --------------------------------------------------------------------------------------------

    def _claim(self) -> tuple[int, str]:
        """Return the record, open and locked, and the token in it."""
        while True:
            record = self._open_record()
            try:
                _lock(record, self.path)
                token = _token_in(record)
                if token is None:
                    raise CohortError(
                        f"{self.path / RECORD} is no record of a download: move it away, and run again; begun files "
                        "are fetched anew then"
                    )
                if self._is_record(record):
                    return record, token
            except BaseException:
                os.close(record)
                raise
            os.close(record)  # whoever held it has finished meanwhile, and removed it

    def _open_record(self) -> int:
        while True:
            try:
                record = os.open(RECORD, os.O_RDWR | NO_LINKS, dir_fd=self._fd)
            except FileNotFoundError:
                self._make_record()
                continue
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                    raise
                raise CohortError(
                    f"{self.path / RECORD} is a link or a folder, and no record of a download: move it away, and "
                    "run again"
                ) from None
            return record

    def _make_record(self) -> None:
        """Write a record that is whole as soon as it has its name."""
        token = secrets.token_hex(16)
        name = f"{OURS}{token}-record.part"
        with os.fdopen(os.open(name, NEW, 0o666, dir_fd=self._fd), "wb") as file:
            file.write(json.dumps({"made_by": MADE_BY, "token": token}).encode())
        try:
            self._rename(name, RECORD, self._fd)
        except FileExistsError:  # another download was faster
            os.unlink(name, dir_fd=self._fd)

    def _is_record(self, record: int) -> bool:
        try:
            there = os.stat(RECORD, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(record))


def _taken(path: str, what: str, where: str = "there") -> TakenError:
    return TakenError(f"{path}: {what} is {where}: nothing is written through or over it; move it away, and run again")


def _lock(record: int, out: Path) -> None:
    try:
        fcntl.lockf(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise CohortError(
                f"another download writes to {out}: wait until it has ended, or stop it, and run again"
            ) from None
        log.debug("%s has no locks (%s): a second download would not be noticed", out, error.strerror)


def _token_in(record: int) -> str | None:
    """Return the token of a record, None if it has another form than one of ours."""
    facts = os.fstat(record)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > RECORD_BYTES:
        return None
    try:
        data = json.loads(os.pread(record, RECORD_BYTES, 0))
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or set(data) != {"made_by", "token"} or data["made_by"] != MADE_BY:
        return None
    token = data["token"]
    return token if isinstance(token, str) and re.fullmatch("[0-9a-f]{32}", token) else None

"""Who writes: one at a time, over nothing of another's, and a killed writer's leavings are known as ours.

Whoever is going to write some outputs takes a `claim`. Its file, the *journal*, is the lock that the second writer
meets; and it tells the next one what a killed one was about to write, and in which folder a store had begun to grow.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hypnoflow.errors import BusyError, HypnoflowError, OutputError, shown
from hypnoflow.facts.files import no_longer_replaceable, open_plain, replaceable, temporary_beside
from hypnoflow.facts.ours import (
    MARK,
    below,
    described,
    is_as_listed,
    is_size,
    listed,
    lstat,
    plain_path,
    record_of,
    remove_file,
    remove_folder,
)


@dataclass(slots=True)
class Claim:
    """The right to write some outputs, for as long as the `claim` lasts.

    Attributes
    ----------
    record : Path
        The JSON that will list them.
    facts : dict or None
        What it says now, if it is ours.
    """

    record: Path
    facts: dict[str, Any] | None
    _journal: Path
    _handle: int
    _before: dict[str, Any]
    remember: bool
    _making: list[str] = field(default_factory=list)
    _partial: str = ""
    _taken: list[Path] = field(default_factory=list)

    def take(self, outputs: Iterable[Path], also: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> None:
        """Claim further outputs; `also` describes files that are known as ours from elsewhere, see `others_list`.

        Raises
        ------
        OutputError
            If one stands there and is not ours.
        """
        outputs = list(outputs)
        for path in outputs:
            self._check(path, also)
        self._making += [name for path in outputs if (name := below(path, self.record)) not in self._making]
        self._write()
        for path in outputs:
            replaceable(path)
            self._taken.append(path)

    def _check(self, path: Path, also: Mapping[str, Mapping[str, Any]]) -> None:
        found, name = lstat(path), below(path, self.record)
        if found is None:
            return
        if not stat.S_ISREG(found.st_mode):
            raise OutputError(path, "is there, and is no plain file")
        if name in self._before.get("making", ()) or (path == self.record and self.facts is not None):
            return
        known = {**self._before.get("kept", {}), **listed(self.facts), **also}
        if name not in known:
            raise OutputError(path)
        if not is_as_listed(path, known[name]):
            raise OutputError(path, "was changed since hypnoflow wrote it")

    def partial(self, folder: Path, *, anew: bool = False) -> tuple[Path, bool]:
        """Return where a folder grows until it is whole, and whether a killed run has begun it."""
        left = self._before.get("partial")
        if not anew and isinstance(left, str) and re.fullmatch(r"\.[^/]{1,200}\.[0-9a-f]{16}\.partial", left):
            path = folder.with_name(left)
            if path.is_dir() and not path.is_symlink():
                self._partial = left
                return path, True
        path = temporary_beside(folder)
        self._partial = path.name
        self._write()
        return path, False

    @contextmanager
    def scratch(self, beside: Path) -> Iterator[Path]:
        """Give an empty folder to work in, which goes at the end; the one that a killed run left goes before."""
        folder, begun = self.partial(beside)
        if begun:
            remove_folder(folder)
        folder.mkdir()
        try:
            yield folder
        finally:
            remove_folder(folder)

    def _write(self) -> None:
        self._note(
            making=[*dict.fromkeys([*self._before.get("making", ()), *self._making])],
            partial=self._partial or self._before.get("partial", ""),
            kept=self._before.get("kept", {}),
        )

    def _note(self, **what: Any) -> None:
        about = {MARK: "making", **what, "pid": os.getpid(), "host": platform.node()}
        data = (json.dumps(about) + "\n").encode()
        os.pwrite(self._handle, data, 0)
        os.ftruncate(self._handle, len(data))

    def _end(self, whole: bool) -> None:
        """Leave the journal if something is there that only it accounts for."""
        for path in self._taken:
            no_longer_replaceable(path)
        there = [name for name in self._making if lstat(self.record.parent / name) is not None]
        if whole:
            known = () if self.remember else {self.record.name, *listed(record_of(self.record))}
            kept = {name: described(self.record.parent / name) for name in there if name not in known}
            if kept:
                self._note(making=[], partial="", kept=kept)
                return
        elif (
            self._partial
            and lstat(self.record.parent / self._partial) is not None
            or {*there} - {self.record.name, *listed(self.facts)}
        ):
            return
        with contextlib.suppress(FileNotFoundError):
            self._journal.unlink()


@contextmanager
def claim(
    record: Path, outputs: Sequence[Path] = (), inputs: Iterable[Path] = (), *, remember: bool = False
) -> Iterator[Claim]:
    """Be the only one who writes `outputs`, which the JSON `record` is going to list, and the record itself.

    Parameters
    ----------
    inputs : iterable of Path
        What is read: none of it may be an output.
    remember : bool
        Whether the outputs are still known as ours once the record is gone. Snakemake removes it before a job, with
        all outputs of the rule; some of our files are none.

    Raises
    ------
    OutputError
        If something of another's stands under one of these names.
    BusyError
        If another process is writing them.
    """
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        journal = journal_of(record)
        handle = _locked(journal, record)
    except OSError as error:
        raise unwritable(record.parent, error) from error
    mine, whole = None, False
    try:
        mine = Claim(record, record_of(record), journal, handle, _journal_of(handle, journal), remember)
        for path in inputs:
            if any(_same(path, output) for output in (record, *outputs)):
                raise OutputError(path, "is to be read and to be written", "name another --out")
        mine.take([record, *outputs])
        yield mine
        whole = True
    finally:
        if mine is not None:
            mine._end(whole)
        os.close(handle)


def journal_of(record: Path) -> Path:
    """Return where it is noted what is being written."""
    return record.with_name(f".{record.name}.ours")


def forget(record: Path) -> None:
    """Remove a record, if there is one of ours, so that what it describes is made again; its files stay known as ours.

    Raises
    ------
    BusyError
        If another process is writing it.
    """
    facts = record_of(record)
    if facts is None:
        return
    journal = journal_of(record)
    handle = _locked(journal, record)
    try:
        before = _journal_of(handle, journal)
        kept = {**before.get("kept", {}), **listed(facts)}
        mine = Claim(record, facts, journal, handle, before | {"kept": kept}, remember=True)
        mine._write()
        remove_file(record, record)
        if not kept and not before:
            journal.unlink()
    finally:
        os.close(handle)


def noted(record: Path) -> set[str]:
    """Return the names that the journal of a record knows as ours: what was being written, and what is unchanged."""
    try:
        with open_plain(journal_of(record)) as file:
            found = _read_journal(file.fileno()) or {}
    except OSError:
        return set()
    kept = found.get("kept", {})
    return {*found.get("making", ()), *(name for name in kept if is_as_listed(record.parent / name, kept[name]))}


def others_list(path: Path) -> dict[str, Any]:
    """Return how a file is described by any JSON or journal of ours in its folder, by its name, for `Claim.take`."""
    found: dict[str, Any] = {}
    for record in path.parent.glob("*.json"):
        found |= {name: wanted for name, wanted in listed(record_of(record)).items() if name == path.name}
    for journal in path.parent.glob(".*.json.ours"):
        with contextlib.suppress(OSError), open_plain(journal) as file:
            kept = (_read_journal(file.fileno()) or {}).get("kept", {})
            found |= {name: wanted for name, wanted in kept.items() if name == path.name}
    return found


def unwritable(folder: Path, error: OSError) -> HypnoflowError:
    """Return what is to be said where nothing can be written."""
    why = error.strerror or type(error).__name__
    do = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "name another folder"
    return HypnoflowError(f"{shown(error.filename or folder)} cannot be written ({why}): {do}, and start again")


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _locked(journal: Path, record: Path) -> int:
    """Open and lock the journal; whoever had it when it was opened may have removed it since, then again."""
    while True:
        try:
            handle = os.open(journal, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise OutputError(journal, "stands where hypnoflow notes what it is writing", "move it away") from error
            raise
        try:
            _lock(handle, record)
        except BaseException:
            os.close(handle)
            raise
        here = lstat(journal)
        if here is not None and here.st_ino == os.fstat(handle).st_ino:
            return handle
        os.close(handle)


def _lock(handle: int, record: Path) -> None:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            who = _read_journal(handle) or {}
            raise BusyError(
                f"{shown(record.parent / record.stem)} is being written by process {who.get('pid', '?')} on "
                f"{shown(who.get('host', '?'))}: wait for it, or name another --out"
            ) from None
        # Else a file system without locks, as Lustre may be mounted: then nobody can be told.


def _journal_of(handle: int, journal: Path) -> dict[str, Any]:
    """Return what a killed run has noted; OutputError if the file is somebody's."""
    size = os.fstat(handle).st_size
    if not size:
        return {}
    found = _read_journal(handle)
    if found is None:
        raise OutputError(journal, "stands where hypnoflow notes what it is writing", "move it away")
    return found


def _read_journal(handle: int) -> dict[str, Any] | None:
    try:
        found = json.loads(os.pread(handle, 2**24, 0))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get(MARK) != "making":
        return None
    making, kept = found.get("making"), found.get("kept", {})
    sound = isinstance(making, list) and all(map(plain_path, making)) and isinstance(kept, dict)
    return found if sound and all(plain_path(name) and is_size(size) for name, size in kept.items()) else None

"""The head: the one process that plans and hands out jobs in a working folder."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from hypnoflow.errors import WorkflowError

NAME = "hypnoflow.head"  # in the folder .snakemake


@dataclass(frozen=True, slots=True)
class Facts:
    """Who the head is.

    Attributes
    ----------
    job : str
        Its own cluster job, empty outside one.
    started : str
        ISO 8601, UTC.
    end : {"", "success", "failure"}
        Empty while it runs, and for ever if it was killed.
    """

    host: str
    pid: int
    job: str
    started: str
    executor: str
    end: str = ""

    def __str__(self) -> str:
        job = f", Slurm job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job}, since {self.started}"


class Head:
    """The right to be the head, held until this process ends in whatever way.

    It is a POSIX lock, which the system takes back from a dead process and which holds across the machines of a
    shared file system; so there is never a stale one to remove.

    Attributes
    ----------
    before : Facts or None
        The head that was here last.
    sure : bool
        Whether no other is alive; False on a file system that has no locks.
    """

    def __init__(self, file: IO[str], facts: Facts, before: Facts | None, sure: bool):
        self._file, self._facts, self.before, self.sure = file, facts, before, sure

    @classmethod
    def take(cls, folder: Path, executor: str) -> Head:
        """Become the head of the working folder `folder`, to run jobs by `executor`: local, slurm ...

        Raises
        ------
        WorkflowError
            If another process is, or if nothing can be written there.
        """
        path = folder / ".snakemake" / NAME
        try:
            path.parent.mkdir(exist_ok=True)
            file = path.open("a+")
        except OSError as error:
            raise WorkflowError(f"cannot write {path} ({error.strerror}): a run keeps its state there") from error
        last, sure = _read(file), True
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise WorkflowError(
                    f"another run works in {folder}: {last or 'it has only just started'}. Wait for it, or stop it "
                    "with Ctrl-C where it runs, and start again"
                ) from None
            sure = False  # a file system without locks, as Lustre may be mounted
        last = _read(file)  # once more: it may have ended in between
        now = datetime.now(UTC).isoformat(timespec="seconds")
        facts = Facts(platform.node(), os.getpid(), os.environ.get("SLURM_JOB_ID", ""), now, executor)
        head = cls(file, facts, last, sure)
        head._write(facts)
        return head

    def ended(self, how: Literal["success", "failure"]) -> None:
        """Note that the run came to its end, and so left nothing running."""
        self._write(replace(self._facts, end=how))

    def _write(self, facts: Facts) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(asdict(facts)) + "\n")
        self._file.flush()


def _read(file: IO[str]) -> Facts | None:
    file.seek(0)
    try:
        return Facts(**json.loads(file.read()))
    except (ValueError, TypeError):  # empty, or half written by a process that died
        return None

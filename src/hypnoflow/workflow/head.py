"""The head: the one process that plans and hands out jobs in a working folder, and into a folder of results."""

from __future__ import annotations

import contextlib
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

NAME = "hypnoflow.head"  # in the working folder's .snakemake, and in the logs of the results


@dataclass(frozen=True, slots=True)
class Facts:
    """Who the head is.

    Attributes
    ----------
    job : str
        Its own cluster job, empty outside one.
    started : str
        ISO 8601, UTC.
    folder : str
        The working folder.
    end : {"", "success", "failure"}
        Empty while it runs, and for ever if it was killed.
    after : str
        The executor of a killed head before it, until what that one left is cleaned up.
    """

    host: str
    pid: int
    job: str
    started: str
    executor: str
    folder: str = ""
    end: str = ""
    after: str = ""

    @property
    def executors(self) -> set[str]:
        """Return the executors whose jobs may still run, if this head was killed."""
        return set() if self.end else {self.executor, self.after} - {""}

    def __str__(self) -> str:
        job = f", Slurm job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job}, since {self.started}"


class Head:
    """The right to be the head, held until this process ends in whatever way.

    It is a POSIX lock, which the system takes back from a dead process and which holds across the machines of a
    shared file system; so there is never a stale one to remove. One lies in the working folder, by which jobs are
    found, and one in the results, which other working folders may write to.

    Attributes
    ----------
    before : Facts or None
        The head that was here last.
    sure : bool
        Whether no other is alive; False on a file system that has no locks.
    """

    def __init__(self, claim: Claim, facts: Facts):
        self._claims, self._facts, self.before, self.sure = [claim], facts, claim.before, claim.sure

    @classmethod
    def take(cls, folder: Path, executor: str) -> Head:
        """Become the head of the working folder `folder`, to run jobs by `executor`: local, slurm ...

        Raises
        ------
        WorkflowError
            If another process is, or if nothing can be written there.
        """
        claim = Claim.lay(folder / ".snakemake" / NAME, folder)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        after = "slurm" if claim.before is not None and "slurm" in claim.before.executors else ""
        job = os.environ.get("SLURM_JOB_ID", "")
        facts = Facts(platform.node(), os.getpid(), job, now, executor, str(folder), after=after)
        claim.write(facts)
        return cls(claim, facts)

    def claim_results(self, results: Path) -> None:
        """Be the only one that writes into `results`, from whatever working folder.

        Raises
        ------
        WorkflowError
            If another process does, or if jobs of another folder's killed head may still do.
        """
        claim = claim_results(results)
        last = claim.before
        if last is not None and not last.end and last.folder != self._facts.folder:
            raise WorkflowError(
                f"the last run into {results} was started in {last.folder} and ended without cleaning up ({last}), so "
                "that its jobs may still be writing: start the command there once more, or, if that folder is no "
                f"more, delete {claim.path}"
            )
        claim.write(self._facts)
        self._claims.append(claim)
        self.sure = self.sure and claim.sure

    def cleaned_up(self) -> None:
        """Note that nothing of an earlier head is left."""
        self._facts = replace(self._facts, after="")
        self._write(self._facts)

    def ended(self, how: Literal["success", "failure"]) -> None:
        """Note that the run came to its end, and so left nothing running."""
        with contextlib.suppress(WorkflowError):  # on a full disk it counts as killed, which costs a look
            self._write(replace(self._facts, end=how))

    def _write(self, facts: Facts) -> None:
        for claim in self._claims:
            claim.write(facts)


@dataclass(frozen=True, slots=True)
class Claim:
    """A locked file that says who holds it.

    Attributes
    ----------
    before : Facts or None
        Who held it last.
    sure : bool
        Whether nobody else does; False on a file system that has no locks.
    """

    path: Path
    file: IO[str]
    before: Facts | None
    sure: bool

    @classmethod
    def lay(cls, path: Path, where: Path) -> Claim:
        """Lock a file for as long as this process lives; `where` is what it stands for.

        Raises
        ------
        WorkflowError
            If another process holds it, or if it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+")
        except OSError as error:
            raise WorkflowError(f"cannot write {path} ({error.strerror}): a run keeps its state there") from error
        last, sure = _read(file), True
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise WorkflowError(
                    f"another run works in {where}: {last or 'it has only just started'}. Wait for it, or stop it "
                    "with Ctrl-C where it runs, and start again"
                ) from None
            sure = False  # a file system without locks, as Lustre may be mounted
        return cls(path, file, _read(file), sure)  # read once more: it may have ended in between

    def write(self, facts: Facts) -> None:
        """Say who holds it."""
        data = (json.dumps(asdict(facts)) + "\n").encode()
        try:
            os.pwrite(self.file.fileno(), data, 0)
            os.ftruncate(self.file.fileno(), len(data))
        except OSError as error:
            raise WorkflowError(f"cannot write {self.path} ({error.strerror}): make room, and start again") from error


def claim_results(results: Path) -> Claim:
    """Lock a folder of results against runs of the workflow, for as long as this process lives.

    Raises
    ------
    WorkflowError
        If a run writes there.
    """
    return Claim.lay(results / "logs" / NAME, results)


def _read(file: IO[str]) -> Facts | None:
    file.seek(0)
    try:
        return Facts(**json.loads(file.read()))
    except (ValueError, TypeError):
        file.seek(0)
        torn = bool(file.read())  # by a machine that died; empty, it has only just been made
        return Facts(platform.node(), 0, "", "an unknown time", "") if torn else None

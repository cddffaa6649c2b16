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

NAME = "hypnoflow.head"  # in the working folder's .snakemake; in the results, hidden
IDLE = "idle"
RESTORED = "failure"  # what a killed head counts as once nothing of it is left


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
    end : {"idle", "", "success", "failure"}
        Idle before its first job; empty while jobs may run, and for ever if it was killed then.
    after : Facts or None
        Of an idle one, whoever was here last with jobs: a start that comes to none changes nothing.
    """

    host: str
    pid: int
    job: str
    started: str
    executor: str
    folder: str = ""
    end: str = IDLE
    after: Facts | None = None

    def __str__(self) -> str:
        job = f", Slurm job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job}, since {self.started}"


TORN = Facts("an unknown machine", 0, "", "an unknown time", "", end="")  # by a machine that died while it wrote


def myself(executor: str, folder: Path) -> Facts:
    """Return the facts of this process."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Facts(platform.node(), os.getpid(), os.environ.get("SLURM_JOB_ID", ""), now, executor, str(folder))


class Claim:
    """A locked file that says who holds it, for as long as this process lives or until it is closed.

    It is a POSIX lock, which the system takes back from a dead process and which holds across the machines of a
    shared file system; so there is never a stale one to remove.

    Parameters
    ----------
    path : Path
    where : Path
        What it stands for.

    Attributes
    ----------
    before : Facts or None
        Who held it last and had jobs.
    sure : bool
        Whether nobody else does; False on a file system that has no locks.

    Raises
    ------
    WorkflowError
        If another process holds it, or if it cannot be written.
    """

    def __init__(self, path: Path, where: Path):
        self.path, self.sure = path, True
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = os.fdopen(
                os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644),
                "r+",
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise WorkflowError(f"cannot write {path} ({error.strerror}): a run keeps its state there") from error
        last = _read(self.file)
        try:
            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                self.file.close()
                raise WorkflowError(
                    f"another run works in {where}: {last or 'it has only just started'}. Wait for it, or stop it "
                    "with Ctrl-C where it runs, and start again"
                ) from None
            self.sure = False  # a file system without locks, as Lustre may be mounted
        last = _read(self.file)  # once more: it may have ended in between
        self.before = last.after if last is not None and last.end == IDLE else last

    def write(self, facts: Facts) -> None:
        """Say who holds it; one that is idle says who was here before, too."""
        data = (json.dumps(asdict(replace(facts, after=self.before if facts.end == IDLE else None))) + "\n").encode()
        try:
            os.pwrite(self.file.fileno(), data, 0)
            os.ftruncate(self.file.fileno(), len(data))
        except OSError as error:
            raise WorkflowError(f"cannot write {self.path} ({error.strerror}): make room, and start again") from error

    def cleaned_up(self) -> None:
        """Nothing is left of who was here before; that the run did not succeed stays known."""
        if self.before is not None and not self.before.end:
            self.before = replace(self.before, end=RESTORED)


class Head:
    """The right to be the head, of a working folder, by which jobs are found, and of results, which others may share.

    Attributes
    ----------
    before : Facts or None
        The head that was here last and had jobs.
    sure : bool
        Whether no other is alive.
    """

    def __init__(self, claim: Claim, facts: Facts):
        self._claims, self._facts, self.before, self.sure = [claim], facts, claim.before, claim.sure
        self._write()

    @classmethod
    def take(cls, folder: Path, executor: str) -> Head:
        """Become the head of the working folder `folder`, to run jobs by `executor`: local, slurm ...

        Raises
        ------
        WorkflowError
            If another process is, or if nothing can be written there.
        """
        return cls(Claim(folder / ".snakemake" / NAME, folder), myself(executor, folder))

    def claim_results(self, results: Path) -> None:
        """Be the only one that writes into `results`, from whatever working folder.

        Raises
        ------
        WorkflowError
            If another process does, or if jobs of another folder's killed head may still do.
        """
        claim = claim_results(results)
        last = claim.before
        ours = last is None or last.folder == self._facts.folder
        torn_by_us = last is not None and not last.folder and self.before is not None and not self.before.end
        if last is not None and not last.end and not (ours or torn_by_us):
            raise WorkflowError(
                f"the last run into {results} was started in {last.folder or 'a folder that is no longer known'} and "
                f"ended without cleaning up ({last}), so that its jobs may still be writing: start the command there "
                f"once more, or, if there is no such folder any more, delete {claim.path}"
            )
        self._claims.append(claim)
        self.sure = self.sure and claim.sure
        self._write()

    def cleaned_up(self) -> None:
        """Note that nothing of an earlier head is left."""
        for claim in self._claims:
            claim.cleaned_up()
        self._write()

    def has_jobs(self) -> None:
        """Note that from now on jobs may run, and be left if this process is killed."""
        self._facts = replace(self._facts, end="")
        self._write()

    def ended(self, how: Literal["success", "failure"]) -> None:
        """Note that the run came to its end, and so left nothing running."""
        self._facts = replace(self._facts, end=how)
        for claim in self._claims:
            with contextlib.suppress(WorkflowError):  # on a full disk it counts as killed, which costs a look
                claim.write(self._facts)

    def _write(self) -> None:
        for claim in self._claims:
            claim.write(self._facts)


def claim_results(results: Path) -> Claim:
    """Lock a folder of results against runs of the workflow.

    Raises
    ------
    WorkflowError
        If a run writes there.
    """
    return Claim(results / f".{NAME}", results)


def _read(file: IO[str]) -> Facts | None:
    """Return what a record says; None of one that has only just been made."""
    file.seek(0)
    text = file.read()
    try:
        facts = json.loads(text)
        after = facts.pop("after")
        return Facts(**facts, after=Facts(**after) if after else None)
    except (ValueError, TypeError, AttributeError, KeyError):
        return TORN if text else None

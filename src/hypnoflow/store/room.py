"""Room for a night's samples: in memory, or, for a very long one, in a file without a name that is paged in."""

from __future__ import annotations

import logging
import math
import mmap
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from hypnoflow.errors import RecordingError
from hypnoflow.store.shard import Map

log = logging.getLogger(__name__)

LARGE_BYTES = 2**30  # of a night's int16 samples: 64 channels of 18 h; beyond it they do not stay in memory


class Room:
    """Arrays of int16 for one night.

    Parameters
    ----------
    n_bytes : int
        Of all of them together: it decides where they lie.

    Raises
    ------
    RecordingError
        If they need a file and there is no room for one.
    """

    def __init__(self, n_bytes: int):
        self._is_file = n_bytes > LARGE_BYTES
        self._maps: list[mmap.mmap] = []

    def array(self, shape: tuple[int, int]) -> NDArray[np.int16]:
        """Return an array that holds anything."""
        if not self._is_file:
            return np.empty(shape, np.int16)
        n_bytes = 2 * math.prod(shape)
        try:
            with tempfile.TemporaryFile(dir=_folder()) as file:
                os.posix_fallocate(file.fileno(), 0, n_bytes)  # a full disk would end the process while it writes
                self._maps.append(mmap.mmap(file.fileno(), n_bytes))
            log.info("%.1f GB of samples lie in a file in %s meanwhile", n_bytes / 1e9, _folder())
        except OSError as error:
            raise RecordingError(
                f"{n_bytes / 1e9:.1f} GB of samples do not fit into {_folder()} ({error.strerror})",
                hint="set TMPDIR to a folder with more room, or name fewer channels",
            ) from error
        return np.frombuffer(self._maps[-1], np.int16).reshape(shape)

    def settling(self, run: Map) -> Map:
        """Return a `run` that lets go of the memory after each piece of work."""
        if not self._is_file:
            return run

        def settled(work: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterable[Any]:
            def each(piece: Any) -> Any:
                found = work(piece)
                self.settle()
                return found

            return run(each, pieces)

        return settled

    def settle(self) -> None:
        """Let go of the memory of what lies in a file; it is read again where it is needed."""
        for each in self._maps:
            each.madvise(mmap.MADV_DONTNEED)


def _folder() -> str:
    """Return where large files go: not to /tmp, which lies in memory on many machines, unless TMPDIR says so."""
    on_disk = "/var/tmp"  # noqa: S108
    return tempfile.gettempdir() if os.environ.get("TMPDIR") or not os.access(on_disk, os.W_OK) else on_disk


def available_bytes() -> int:
    """Return the memory that this process may still take: the machine's, or what its control group leaves."""
    return min([psutil.virtual_memory().available, *_left_by_group(Path("/sys/fs/cgroup"))])


def _left_by_group(folder: Path) -> list[int]:
    """Return what a control group (version 2) leaves, nothing where there is none or where it has no limit.

    A container sees its own at the root of the file system; a Slurm job's is the kernel's affair.
    """
    try:
        most, now = ((folder / name).read_text("ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return []
    return [max(int(most) - int(now), 0)] if most.isdigit() else []

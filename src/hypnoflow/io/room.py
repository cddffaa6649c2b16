"""Room for a night's samples: in memory, or, for a very long one, in a file without a name that is paged in."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from hypnoflow.errors import RecordingError

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
            with tempfile.TemporaryFile() as file:
                os.posix_fallocate(file.fileno(), 0, n_bytes)  # a full disk would end the process while it writes
                self._maps.append(mmap.mmap(file.fileno(), n_bytes))
        except OSError as error:
            raise RecordingError(
                f"{n_bytes / 1e9:.1f} GB of samples do not fit into {tempfile.gettempdir()} ({error.strerror})",
                hint="set TMPDIR to a folder with more room, or name fewer channels",
            ) from error
        return np.frombuffer(self._maps[-1], np.int16).reshape(shape)

    def settle(self) -> None:
        """Let go of the memory of what lies in a file; it is read again where it is needed."""
        for each in self._maps:
            each.madvise(mmap.MADV_DONTNEED)


def available_bytes() -> int:
    """Return the memory that this process may still take: the machine's, or what its control group leaves."""
    free = psutil.virtual_memory().available
    return min([free, *_left_by_group("memory.max", "memory.current", "/sys/fs/cgroup")])


def _left_by_group(most: str, now: str, folder: str) -> list[int]:
    values: list[Any] = []
    for name in (most, now):
        try:
            with open(f"{folder}/{name}", encoding="ascii") as file:  # noqa: PTH123
                values.append(file.read().strip())
        except OSError:
            return []
    return [max(int(values[0]) - int(values[1]), 0)] if values[0].isdigit() else []

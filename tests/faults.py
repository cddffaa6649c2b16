"""Files that fail, are cut off or kill who reads them, at a block that is named; also in processes that are started.

A process that Python starts runs `sitecustomize` first: what `for_processes` writes puts the same fault there.
"""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from hypnoflow.native import _edf_columns

BLOCK_BYTES = 16_384
ROOT = Path(__file__).parents[1]


def install(name: str, kind: str, block: int) -> tuple[Callable[[], int], Callable[[], None]]:
    """Make the reading of block number `block` of the file called `name` fail; small blocks for all files.

    Parameters
    ----------
    kind : {"EIO", "cut", "vanish", "die", "none"}

    Returns
    -------
    tuple of callables
        The number of blocks that were read of that file, and what takes the fault away.
    """
    real, size, count = os.preadv, _edf_columns.BLOCK_BYTES, 0

    def preadv(descriptor, buffers, at):
        nonlocal count
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        if path.name == name:
            if count == block:
                strike(path, kind)
            count += 1
        return real(descriptor, buffers, at)

    def remove():
        os.preadv, _edf_columns.BLOCK_BYTES = real, size

    os.preadv, _edf_columns.BLOCK_BYTES = preadv, BLOCK_BYTES
    return lambda: count, remove


def strike(path: Path, kind: str) -> None:
    if kind == "EIO":
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    if kind == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif kind == "vanish":
        path.unlink()
    elif kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)


def for_processes(monkeypatch, folder: Path, name: str, kind: str, block: int) -> None:
    """Have the fault in every process that this one starts from now on, and not in this one."""
    folder.mkdir()
    words = json.dumps([name, kind, block])
    (folder / "sitecustomize.py").write_text(f"from tests.faults import install\ninstall(*{words})\n", encoding="utf-8")
    paths = [str(folder), str(ROOT), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

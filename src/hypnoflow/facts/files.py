"""Files that are either whole or not there, and that take nobody's place: write beside, then give the name.

What stands under a name is replaced only after `hypnoflow.facts.ours` has found that this package made it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from hypnoflow.errors import OutputError, harmless_cell

LARGEST_JSON = 2**28  # bytes; the JSON of a shard of a thousand recordings has less than 2**22
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)  # file systems that cannot name a file twice
_ours: set[str] = set()  # paths that may be replaced by this process, see `replaceable`


def temporary_beside(path: Path) -> Path:
    """Return a hidden name in the folder of `path` that nobody can foresee, and that no file has."""
    short = path.name.encode("utf-8", "surrogateescape")[:150].decode("utf-8", "replace").replace("\ufffd", "_")
    return path.with_name(f".{short}.{secrets.token_hex(8)}.partial")


def replaceable(path: Path) -> None:
    """Let `replacing` replace what stands under `path`; only `hypnoflow.facts.ours` knows whether it may."""
    _ours.add(os.path.abspath(path))  # noqa: PTH100  (a resolved path would follow links)


def no_longer_replaceable(path: Path) -> None:
    """Take `replaceable` back."""
    _ours.discard(os.path.abspath(path))  # noqa: PTH100


def remove_claimed(path: Path) -> None:
    """Remove a file that this process may replace; OutputError for another, which stays."""
    if os.path.lexists(path):
        if os.path.abspath(path) not in _ours or path.is_symlink() or not path.is_file():  # noqa: PTH100
            raise OutputError(path)
        path.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it gets the name `path`, else it is removed.

    Raises
    ------
    OutputError
        If something stands under that name that is not known to be ours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = os.path.abspath(path) in _ours  # noqa: PTH100
    if not mine and os.path.lexists(path):
        raise OutputError(path)
    partial = temporary_beside(path)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o666))
    try:
        yield partial
        if mine:
            partial.replace(path)
        else:
            _give_name(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _give_name(partial: Path, path: Path) -> None:
    """Give a file a name that none has; whoever took it meanwhile keeps it."""
    try:
        os.link(partial, path, follow_symlinks=False)
    except FileExistsError:
        raise OutputError(path) from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise OutputError(path) from None
        partial.rename(path)


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that a reader finds the old file or the new one, never half of it."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(data, indent=1, sort_keys=True, default=_plain) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON that somebody else may have written.

    Raises
    ------
    OSError
        If there is no plain file, links not followed.
    ValueError
        If it is no JSON, nested beyond reason, or larger than any of ours.
    """
    with open_plain(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST_JSON:
            raise ValueError(f"it has more than {LARGEST_JSON} bytes")
        try:
            return json.loads(file.read().decode("utf-8"))
        except RecursionError:
            raise ValueError("it is nested too deep") from None


def open_plain(path: Path) -> Any:
    """Open a plain file for reading bytes; OSError for a link, a device, a pipe, which might lead anywhere."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return os.fdopen(handle, "rb")


def write_table(table: pd.DataFrame, path: Path, **how: Any) -> None:
    """Write a table as CSV whose texts no spreadsheet takes for formulas; `how` goes to `DataFrame.to_csv`."""
    texts = table.select_dtypes(include=["object", "string", "category"]).columns
    safe = table.assign(**{str(name): table[name].map(harmless_cell, na_action="ignore") for name in texts})
    with replacing(path) as partial:
        safe.to_csv(partial, index=False, encoding="utf-8", errors="backslashreplace", **how)


def _plain(value: Any) -> Any:
    """Turn numpy scalars and paths into what JSON knows."""
    return value.item() if hasattr(value, "item") else str(value)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def fingerprint(data: Any) -> str:
    """Return a short hash of anything JSON can hold."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=_plain).encode()).hexdigest()[:16]

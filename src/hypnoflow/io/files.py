"""Files that are either whole or not there: write beside, then rename; and the sibling JSON of a store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it takes the place of `path`, else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that a reader finds the old file or the new one, never half of it."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(data, indent=1, sort_keys=True, default=_plain) + "\n")


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

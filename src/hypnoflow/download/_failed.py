"""What could not be fetched, in the output folder: download.json, and the same as lines in failed.txt.

Only files that a download wrote are replaced or removed: download.json says so itself, and holds the SHA-256 of
failed.txt.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypnoflow.download._folder import MADE_BY, OutFolder, TakenError
from hypnoflow.errors import CohortError

FACTS, LINES = "download.json", "failed.txt"
MOST_BYTES = 1 << 28  # some 1,000 for each of the most files that a cohort may have


def check_failed(folder: OutFolder) -> None:
    """Do nothing if both names are free, or taken by what an earlier download wrote; CohortError otherwise."""
    facts = _read(folder, FACTS)
    if facts is not None and _facts(facts) is None:
        raise _not_ours(folder, FACTS)
    lines = _read(folder, LINES)
    if lines is not None and hashlib.sha256(lines).hexdigest() != (_facts(facts) or {}).get("files", {}).get(LINES):
        raise _not_ours(folder, LINES)


def write_failed(folder: OutFolder, failed: dict[str, str]) -> None:
    """Write what failed (path → why), in place of what an earlier download wrote; nothing where nothing failed.

    Raises
    ------
    CohortError
        If something of somebody else's stands there.
    """
    check_failed(folder)
    # First the lines, last the lines: a kill in between leaves none, never some that nobody vouches for.
    folder.remove(LINES)
    if not failed:
        folder.remove(FACTS)
        return
    lines = "".join(f"{path}\t{why}\n" for path, why in failed.items()).encode()
    facts = {"made_by": MADE_BY, "failed": failed, "files": {LINES: hashlib.sha256(lines).hexdigest()}}
    folder.replace(FACTS, f"{json.dumps(facts, indent=1)}\n".encode())
    folder.replace(LINES, lines)


def _read(folder: OutFolder, name: str) -> bytes | None:
    """Return a file's bytes, None if there is nothing; CohortError for a link, a folder, or more than we ever write."""
    try:
        with folder.opened(name) as stream:
            if stream is None:
                return None
            text = stream.read(MOST_BYTES + 1)
    except TakenError:
        raise _not_ours(folder, name) from None
    if len(text) > MOST_BYTES:
        raise _not_ours(folder, name)
    return text


def _facts(text: bytes | None) -> dict[str, Any] | None:
    """Return what a download.json holds if a download wrote it, None otherwise."""
    try:
        data = json.loads(text or b"")
    except (ValueError, RecursionError):
        return None
    ours = isinstance(data, dict) and data.get("made_by") == MADE_BY and isinstance(data.get("files"), dict)
    return data if ours else None


def _not_ours(folder: OutFolder, name: str) -> CohortError:
    return CohortError(
        f"{folder.path / name} was not written by `hypnoflow download`, or was changed since, and its name is needed "
        "for what could not be fetched: move it away, and run again"
    )

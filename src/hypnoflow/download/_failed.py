"""What could not be fetched, in the output folder: download.json, and the same as lines in failed.txt.

Only files that a download wrote are replaced or removed: download.json says so itself, and holds the SHA-256 of
failed.txt.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from hypnoflow.download._folder import MADE_BY, NO_LINKS
from hypnoflow.errors import CohortError
from hypnoflow.io.files import replacing, write_json

FACTS, LINES = "download.json", "failed.txt"
MOST_BYTES = 1 << 28  # some 1,000 for each of the most files that a cohort may have


def check_failed(out: Path) -> None:
    """Do nothing if both names are free, or taken by what an earlier download wrote; CohortError otherwise."""
    facts = _read(out / FACTS)
    if facts is not None and _facts(facts) is None:
        raise _not_ours(out / FACTS)
    lines = _read(out / LINES)
    if lines is not None and hashlib.sha256(lines).hexdigest() != (_facts(facts) or {}).get("files", {}).get(LINES):
        raise _not_ours(out / LINES)


def write_failed(out: Path, failed: dict[str, str]) -> None:
    """Write what failed (path → why), in place of what an earlier download wrote; nothing where nothing failed.

    Raises
    ------
    CohortError
        If something of somebody else's stands there.
    """
    check_failed(out)
    # First the lines, last the lines: a kill in between leaves none, never some that nobody vouches for.
    (out / LINES).unlink(missing_ok=True)
    if not failed:
        (out / FACTS).unlink(missing_ok=True)
        return
    text = "".join(f"{path}\t{why}\n" for path, why in failed.items())
    sums = {LINES: hashlib.sha256(text.encode()).hexdigest()}
    write_json(out / FACTS, {"made_by": MADE_BY, "failed": failed, "files": sums})
    with replacing(out / LINES) as partial:
        partial.write_text(text, encoding="utf-8")


def _read(path: Path) -> bytes | None:
    """Return a file's bytes, None if there is nothing; CohortError for a link, a folder, or more than we ever write."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | NO_LINKS), "rb")
    except FileNotFoundError:
        return None
    except OSError:
        raise _not_ours(path) from None
    with file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST_BYTES:
            raise _not_ours(path)
        return file.read(MOST_BYTES)


def _facts(text: bytes | None) -> dict[str, Any] | None:
    """Return what a download.json holds if a download wrote it, None otherwise."""
    try:
        data = json.loads(text or b"")
    except (ValueError, RecursionError):
        return None
    ours = isinstance(data, dict) and data.get("made_by") == MADE_BY and isinstance(data.get("files"), dict)
    return data if ours else None


def _not_ours(path: Path) -> CohortError:
    return CohortError(
        f"{path} was not written by `hypnoflow download`, or was changed since, and its name is needed for what could "
        "not be fetched: move it away, and run again"
    )

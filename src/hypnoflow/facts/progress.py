"""Progress of long work: a bar on a terminal, nothing but the log's own lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")


def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield from `items`, showing how many of `total` are done where someone is watching."""
    if sys.stderr.isatty():
        yield from rich_track(items, what, total, console=Console(stderr=True), transient=True)
    else:
        yield from items

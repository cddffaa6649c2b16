"""Tags of MATLAB 5 files, checked before scipy reads them: an unknown type makes it crash or run for ever.

Format: MAT-File Format, The MathWorks; every element is a type, a size and its bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

HEADER_BYTES = 128
ORDERS = {b"IM": "<II", b"MI": ">II"}
MATRIX, COMPRESSED = 14, 15
TYPES = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13, MATRIX, COMPRESSED, 16, 17, 18})
FLAGS = 6
NUMBERS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13})
ALLOWED = {
    **dict.fromkeys((1, 2, 3, 16, 17), TYPES),
    4: NUMBERS | {16, 17, 18},
}  # by class
SPARSE = 5
DEEPEST = 32


def check_tags(path: Path) -> None:
    """Raise ValueError for an element of no known type, or one that is longer than what it lies in.

    Files of other versions are not looked at, and what is compressed is left to its checksum.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
        if len(head) < HEADER_BYTES or not head.startswith(b"MATLAB 5.0"):
            return
        if head[126:] not in ORDERS:
            raise ValueError(f"the order of bytes is {head[126:]!r}")
        size = file.seek(0, 2)
        _walk(file, HEADER_BYTES, size, struct.Struct(ORDERS[head[126:]]), 0)


def _walk(file: BinaryIO, at: int, end: int, tag: struct.Struct, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"elements lie in each other more than {DEEPEST} deep")
    allowed = TYPES
    while at + tag.size <= end:
        kind, size = _tag(file, at, tag)
        begin, small = at + tag.size, kind >> 16
        if small:  # type and size share four bytes, the other four are the data
            kind, size, begin = kind & 0xFFFF, small, at + 4
        if kind not in allowed or begin + size > end or small > 4:
            raise ValueError(f"the element at byte {at} has type {kind} and {size} bytes")
        if kind == FLAGS and size == 8 and depth:  # the first of a matrix
            flags, _ = _tag(file, begin, tag)
            if flags & 0xFF == SPARSE:  # no recording is; scipy reads its parts wherever they are said to be
                raise ValueError(f"the matrix at byte {at} is sparse")
            allowed = ALLOWED.get(flags & 0xFF, NUMBERS)
        if kind == MATRIX:
            _walk(file, begin, begin + size, tag, depth + 1)
        at = at + tag.size if small else begin + size + (-size % 8 if kind != COMPRESSED else 0)


def _tag(file: BinaryIO, at: int, tag: struct.Struct) -> tuple[int, int]:
    """Return the type and size at a place; struct.error where the file ends before."""
    file.seek(at)
    kind, size = tag.unpack(file.read(tag.size))
    return kind, size

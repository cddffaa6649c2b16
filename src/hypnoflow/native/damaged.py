"""What the libraries that parse files raise where a file is damaged, and limits that no sound recording reaches."""

from __future__ import annotations

import csv
import math
import struct
import zlib
from zipfile import BadZipFile

# Found by reading damaged files (tests/contract/test_fuzz.py); only the call into a library is ever guarded by it.
PARSER_ERRORS = (
    OSError, ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError,
    SyntaxError, TypeError, ValueError, BadZipFile, csv.Error, struct.error, zlib.error,
)  # fmt: skip

LONGEST_S = 48 * 3600.0  # no polysomnography is longer, and a wrong length would fill the memory
FARTHEST_S = 1e12  # a time that is farther from a recording's start is damage
SAMPLES_PER_BYTE = 1100  # deflate packs no tighter than 1 to 1032; a file that claims more is damaged


def seconds(text: str | bytes) -> float:
    """Return a time, s; NaN where the text is none, or one that no recording knows."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if abs(value) < FARTHEST_S else math.nan


def check_length(label: str, samples: int, rate_hz: float) -> None:
    """Raise ValueError for a signal that cannot be a recording's."""
    if not (rate_hz > 0 and 0 < samples / rate_hz <= LONGEST_S):
        raise ValueError(f"signal {label!r} has {samples} samples at {rate_hz:g} Hz")


def cause(error: BaseException) -> str:
    """Return a library's error in one line, with its type: the text of some says little by itself."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]

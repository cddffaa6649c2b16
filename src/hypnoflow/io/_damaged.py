"""What the libraries that parse files raise where a file is damaged, and limits that no sound recording reaches."""

from __future__ import annotations

# Found by reading damaged files (tests/contract/test_fuzz.py); only the call into a library is ever guarded by it.
PARSER_ERRORS = (
    OSError, ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError, SyntaxError, TypeError,
    ValueError,
)  # fmt: skip

LONGEST_S = 48 * 3600.0  # no polysomnography is longer, and a wrong length would fill the memory
SAMPLES_PER_BYTE = 1100  # deflate packs no tighter than 1 to 1032; a file that claims more is damaged


def cause(error: BaseException) -> str:
    """Return a library's error in one line, with its type: the text of some says little by itself."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]

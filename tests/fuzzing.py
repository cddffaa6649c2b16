"""Damaged files: the ways in which files come to harm, and what must come of reading them.

The formats stand in `tests.formats`. To add one, write a function that returns its valid files as bytes, one that
reads them and checks what it got, and a row of a table there.
"""

from __future__ import annotations

import faulthandler
import re
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

import numpy as np
import psutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypnoflow.errors import CohortError, RecordingError
from hypnoflow.types import EVENT_KINDS, Annotations, Event, SignalFile, StageRun

MEMORY = 512 * 2**20  # that a reader of these few kilobytes may take
LONGEST_S = 48 * 3600
LONGEST_CPU_S = 10  # of work on these few kilobytes: more is a hang, whatever else the machine does

Files = dict[str, bytes]


@dataclass(frozen=True)
class Format:
    """Valid files, which of them is damaged, and how the whole is read; `special` replaces the damaged file."""

    make: Callable[[], Files]
    damaged: str
    read: Callable[[Path], None]
    special: tuple[bytes, ...] = ()
    believed: bool = False  # the library that parses it takes the memory that the file asks for
    refused_share: float = 0.1  # of the damaged files, at least: the damage reaches the reader


# --- what a read must give -----------------------------------------------------------------------------------


def check_signals(file: SignalFile) -> None:
    """Read everything, and hold it against what the file says of itself."""
    assert 0 < file.duration_s <= LONGEST_S
    assert file.start is None or 1 <= file.start.year <= 9999
    for label in file.labels:
        rate_hz, x = file.rate_hz(label), file.read(label)
        assert 0 < rate_hz < np.inf
        assert isinstance(file.unit(label), str)
        assert x.dtype == np.float32
        assert x.ndim == 1
        assert len(x) >= np.floor(file.duration_s * rate_hz) - 1
    assert all(isinstance(warning, str) for warning in file.warnings)


def check_runs(runs: list[StageRun]) -> None:
    assert all(np.isfinite(r.onset_s) and np.isfinite(r.onset_s + r.duration_s) for r in runs)
    assert all(r.duration_s >= 0 and isinstance(r.label, str) for r in runs)


def check_events(events: Sequence[Event]) -> None:
    assert all(np.isfinite(e.onset_s) and np.isfinite(e.onset_s + e.duration_s) for e in events)
    assert all(e.duration_s >= 0 and e.kind in EVENT_KINDS for e in events)


def check_annotations(annotations: Annotations) -> None:
    for runs in annotations.scorers.values():
        check_runs(runs)
    check_events(annotations.events)


# --- damage --------------------------------------------------------------------------------------------------

NUMBERS = (
    b"-1", b"0", b"1", b"2", b"7", b"255", b"65536", b"99999999", b"1e9", b"1e30", b"-1e308", b"1e-30", b"nan", b"inf",
    b"-inf", b"", b"x", b"0x1F", b"1_0", b"1,5", b"4294967296", b"9223372036854775808", b"1e99999", b"9" * 40,
)  # fmt: skip
ENCODINGS = ("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp500")


def truncate(raw: bytes, at: int, _: int) -> bytes:
    return raw[: at % (len(raw) + 1)]


def flip_bit(raw: bytes, at: int, bit: int) -> bytes:
    where = at % len(raw)
    return raw[:where] + bytes([raw[where] ^ (1 << bit % 8)]) + raw[where + 1 :]


def flip_early_bit(raw: bytes, at: int, bit: int) -> bytes:
    return flip_bit(raw, at % min(len(raw), 1024), bit)


def overwrite(raw: bytes, at: int, seed: int) -> bytes:
    new = np.random.default_rng(seed).bytes(1 + seed % 64)
    where = at % len(raw)
    return raw[:where] + new + raw[where + len(new) :]


def blank(raw: bytes, at: int, seed: int) -> bytes:
    where, n = at % len(raw), 1 + seed % 600
    return raw[:where] + bytes([(0, 0x20, 0xFF)[seed % 3]]) * n + raw[where + n :]


def delete(raw: bytes, at: int, seed: int) -> bytes:
    where = at % len(raw)
    return raw[:where] + raw[where + 1 + seed % 300 :]


def repeat(raw: bytes, at: int, seed: int) -> bytes:
    where = at % len(raw)
    part = raw[where : where + 1 + seed % 300]
    return raw[:where] + part * (1 + seed % 4) + raw[where:]


def _number(raw: bytes, at: int, seed: int, keep_width: bool) -> bytes:
    found = list(re.finditer(rb"[-+]?\d[\d.]*", raw))
    if not found:
        return raw
    match, new = found[at % len(found)], NUMBERS[seed % len(NUMBERS)]
    if keep_width:  # fields of fixed width end in blanks
        width = len(match[0]) + len(re.match(rb" *", raw[match.end() :])[0])
        new = new[:width].ljust(width)
        return raw[: match.start()] + new + raw[match.start() + width :]
    return raw[: match.start()] + new + raw[match.end() :]


def number_in_its_field(raw: bytes, at: int, seed: int) -> bytes:
    return _number(raw, at, seed, keep_width=True)


def number_of_any_width(raw: bytes, at: int, seed: int) -> bytes:
    return _number(raw, at, seed, keep_width=False)


def reencode(raw: bytes, at: int, _: int) -> bytes:
    return raw.decode("latin-1").encode(ENCODINGS[at % len(ENCODINGS)], "replace")


DAMAGES = (
    truncate, flip_bit, flip_early_bit, overwrite, blank, delete, repeat, number_in_its_field, number_of_any_width,
    reencode,
)  # fmt: skip
PLACES = st.one_of(st.integers(0, 1100), st.integers(0, 2**20))
STEPS = st.lists(st.tuples(st.sampled_from(DAMAGES), PLACES, st.integers(0, 2**16)), min_size=1, max_size=3)


def damage(raw: bytes, steps: list[tuple[Callable[[bytes, int, int], bytes], int, int]]) -> bytes:
    for do, at, seed in steps:
        raw = do(raw, at, seed) if raw else raw
    return raw


# --- running -------------------------------------------------------------------------------------------------


def outcome(format_: Format, raw: bytes, folder: Path) -> str:
    """Return "read" or "refused: …" of one damaged file; whatever else happens is the test's failure."""
    for name, valid in format_.make().items():
        (folder / name).write_bytes(raw if name == format_.damaged else valid)
    try:
        format_.read(folder)
    except RecordingError as error:
        assert error.what.strip()
        assert error.path is not None
        assert error.path.parent == folder
        assert error.path.name in str(error)
        assert format_.believed or not isinstance(error.__cause__, MemoryError)  # a size was believed
        return "refused"
    except CohortError as error:  # of a whole cohort's table
        named = str(folder / format_.damaged)
        assert named in str(error)
        assert len(str(error)) > len(f"cannot read {named}: ")
        assert not isinstance(error.__cause__, MemoryError)
        return "refused"
    return "read"


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Let the process grow by `MEMORY` and no more, and die with a traceback if it hangs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY, hard))
    faulthandler.dump_traceback_later(300, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def fuzz(format_: Format, folder: Path, examples: int, *, derandomize: bool = True) -> Counter[str]:
    """Read `examples` damaged files of one format and return how many were read and refused."""
    files = format_.make()
    fixed = replace(format_, make=lambda: files)
    counts: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        derandomize=derandomize,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(STEPS)
    def one(steps: list) -> None:
        begun_s = process_time()
        counts[outcome(fixed, damage(files[format_.damaged], steps), folder)] += 1
        assert process_time() - begun_s < LONGEST_CPU_S

    with bounded_memory():
        outcome(fixed, files[format_.damaged], folder)  # what is imported with the first file is no hang
        one()
    return counts

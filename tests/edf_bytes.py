"""EDF and BDF files byte by byte from the specifications, so that a test can write what no library would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Raw:
    """A signal as the file holds it: digital values, shape (record, sample), and the texts of its header."""

    digital: np.ndarray
    label: str | bytes = "EEG"
    unit: str | bytes = "uV"
    physical: tuple[str, str] = ("-200", "200")
    limits: tuple[str, str] = ("-32768", "32767")

    def bytes_of(self, record: int, width: int) -> bytes:
        wide = np.asarray(self.digital[record], "<i4").reshape(-1, 1)
        return wide.view(np.uint8)[:, :width].tobytes()


@dataclass(frozen=True)
class Tals:
    """The annotation signal: each record's onset as the file writes it, and what else is marked in it."""

    onsets: Sequence[str]
    texts: Mapping[int, str] | None = None
    label: str = "EDF Annotations"
    samples: int = 40
    unit = ""
    physical = ("-1", "1")
    limits = ("-32768", "32767")

    @property
    def digital(self) -> np.ndarray:
        return np.zeros((len(self.onsets), self.samples))

    def bytes_of(self, record: int, width: int) -> bytes:
        tal = f"{self.onsets[record]}\x14\x14\0{(self.texts or {}).get(record, '')}".encode()
        assert len(tal) <= self.samples * width
        return tal.ljust(self.samples * width, b"\0")


def text(value: str | bytes, width: int) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode("latin-1")
    assert len(raw) <= width, value
    return raw.ljust(width)


def edf_bytes(
    signals: Sequence[Raw | Tals],
    *,
    record_s: str = "1",
    reserved: str = "",
    said: str | None = None,
    bdf: bool = False,
    date: str = "24.04.89",
) -> bytes:
    """Return a whole file: the 256 bytes of the recording, 256 of each signal, and the data records."""
    records, n = len(signals[0].digital), len(signals)
    head = [
        (b"\xffBIOSEMI" if bdf else "0", 8),
        ("X X X X", 80),
        ("X X X X", 80),
        (date, 8),
        ("23.05.07", 8),
        (str(256 * (n + 1)), 8),
        (reserved or ("24BIT" if bdf else ""), 44),
        (str(records) if said is None else said, 8),
        (record_s, 8),
        (str(n), 4),
    ]
    columns = [
        [(s.label, 16) for s in signals],
        [("", 80) for s in signals],
        [(s.unit, 8) for s in signals],
        [(s.physical[0], 8) for s in signals],
        [(s.physical[1], 8) for s in signals],
        [(s.limits[0], 8) for s in signals],
        [(s.limits[1], 8) for s in signals],
        [("", 80) for s in signals],
        [(str(np.shape(s.digital)[1]), 8) for s in signals],
        [("", 32) for s in signals],
    ]
    header = b"".join(text(value, width) for part in (head, *columns) for value, width in part)
    data = b"".join(s.bytes_of(r, 3 if bdf else 2) for r in range(records) for s in signals)
    return header + data

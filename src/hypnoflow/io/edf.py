"""EDF and EDF+C signals: each at its own rate, read one at a time, whatever the header gets wrong.

Format: Kemp et al. 1992 (EDF), Kemp & Olivan 2003 (EDF+), https://www.edfplus.info.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from hypnoflow.errors import RecordingError
from hypnoflow.types import FloatArray, StageRun

ANNOTATIONS = "EDF Annotations"
TO_UV = {"uv": 1.0, "µv": 1.0, "mv": 1e3, "v": 1e6}
_FIELDS = (  # name, width in bytes, of the part of the header that lists every signal
    ("label", 16), ("transducer", 80), ("unit", 8), ("physical_min", 8), ("physical_max", 8),
    ("digital_min", 8), ("digital_max", 8), ("prefilter", 80), ("samples", 8), ("reserved", 32),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EdfSignalHeader:
    """One signal as the header describes it; `offset` is its first sample within a data record."""

    label: str
    unit: str
    physical: tuple[float, float]
    digital: tuple[int, int]
    samples: int
    offset: int


class EdfFile:
    """An EDF file whose signals are read one at a time.

    A record count of -1, or one larger than the file holds, is replaced by the whole records that are there,
    with a warning. Duplicate labels get a suffix ``#2``, ``#3``, …

    Raises
    ------
    RecordingError
        If the file is not EDF, is discontinuous (EDF+D) or holds not one whole record.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.warnings: list[str] = []
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                head = file.read(256)
                n_signals = int(_text(head[252:256]))
                listing = file.read(256 * n_signals)
        except OSError as error:
            raise RecordingError(f"cannot be opened: {error.strerror}", path=self.path) from error
        except ValueError as error:
            raise RecordingError("not an EDF file: its header gives no number of signals", path=self.path) from error
        if len(listing) < 256 * n_signals or n_signals < 1:
            raise RecordingError(f"the EDF header is cut off ({size} bytes)", path=self.path, hint="download it again")
        if _text(head[192:236]).startswith("EDF+D"):
            raise RecordingError("EDF+D: the recording has gaps", path=self.path, hint="export it as EDF+C")
        try:
            self.record_s = float(_text(head[244:252]))
            said = int(_text(head[236:244]))
            self._signals = self._parse_signals(listing, n_signals)
        except ValueError as error:
            raise RecordingError(f"the EDF header is damaged ({error})", path=self.path) from error
        self._start = _start(head)
        self._header_bytes = 256 * (n_signals + 1)
        self._record_samples = sum(s.samples for s in self._signals.values())
        if self._record_samples < 1 or (self.labels and not self.record_s > 0):
            raise RecordingError(
                f"the EDF header says {self._record_samples} samples in records of {self.record_s:g} s", path=self.path
            )
        self.n_records = self._count_records(size, said)
        self.warnings += [
            f"signal {s.label!r}: physical minimum equals maximum, read as digital values"
            for s in self._signals.values()
            if s.physical[0] == s.physical[1]
        ]

    @property
    def labels(self) -> Sequence[str]:
        """Labels of the ordinary signals, in file order."""
        return [label for label in self._signals if not label.startswith(ANNOTATIONS)]

    @property
    def start(self) -> datetime | None:
        """Start of the recording; None where the header's date is impossible."""
        return self._start

    @property
    def duration_s(self) -> float:
        """Length of the whole records that the file holds, s."""
        return self.n_records * self.record_s

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate of a signal, Hz."""
        return self._signals[label].samples / self.record_s

    def unit(self, label: str) -> str:
        """Return "uV" for a potential in V, mV or uV, else the header's text."""
        unit = self._signals[label].unit
        return "uV" if unit.lower() in TO_UV else unit

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`."""
        s = self._signals[label]
        digital = self._records()[:, s.offset : s.offset + s.samples].reshape(-1).astype(np.float32)
        (p0, p1), (d0, d1) = s.physical, s.digital
        if p0 == p1 or d0 == d1:
            return digital
        gain = (p1 - p0) / (d1 - d0)
        factor = TO_UV.get(s.unit.lower(), 1.0)
        digital -= np.float32(d0)
        digital *= np.float32(gain * factor)
        digital += np.float32(p0 * factor)
        return digital

    def annotations(self) -> list[StageRun]:
        """Return the EDF+ annotations in file order, times from the recording's start, s."""
        found: list[StageRun] = []
        first_onset: float | None = None
        for label, s in self._signals.items():
            if not label.startswith(ANNOTATIONS):
                continue
            for record in self._records()[:, s.offset : s.offset + s.samples]:
                for onset, duration, texts in _tals(record.tobytes(), self.path):
                    if first_onset is None:
                        first_onset = onset  # the time-keeping one of the first record
                    found += [StageRun(onset - first_onset, duration, text) for text in texts if text]
        return found

    def _records(self) -> np.ndarray:
        shape = (self.n_records, self._record_samples)
        return np.memmap(self.path, "<i2", "r", offset=self._header_bytes, shape=shape)

    def _parse_signals(self, listing: bytes, n: int) -> dict[str, EdfSignalHeader]:
        columns, at = {}, 0
        for name, width in _FIELDS:
            columns[name] = [_text(listing[at + i * width : at + (i + 1) * width]) for i in range(n)]
            at += n * width
        signals: dict[str, EdfSignalHeader] = {}
        offset = 0
        for i, label in enumerate(columns["label"]):
            count = columns["label"][:i].count(label)
            name = f"{label}#{count + 1}" if count else label
            if count and label != ANNOTATIONS:
                self.warnings.append(f"label {label!r} occurs more than once; read as {name!r}")
            physical = (_number(columns["physical_min"][i]), _number(columns["physical_max"][i]))
            digital = (int(_number(columns["digital_min"][i])), int(_number(columns["digital_max"][i])))
            samples = int(columns["samples"][i])
            signals[name] = EdfSignalHeader(name, columns["unit"][i], physical, digital, samples, offset)
            offset += samples
        return signals

    def _count_records(self, size: int, said: int) -> int:
        held, rest = divmod(size - self._header_bytes, 2 * self._record_samples)
        if held < 1:
            raise RecordingError(
                f"the EDF file holds no whole data record ({size} bytes)",
                path=self.path,
                hint="download it again",
            )
        if said != held or rest:
            torn = f" and {rest} bytes of a torn one" if rest else ""
            self.warnings.append(
                f"the header says {said} data records, the file holds {held}{torn}; "
                + (f"read {held}" if said < 0 or said > held else f"read {said}")
            )
        return held if said < 0 else min(said, held)


def _text(raw: bytes) -> str:
    """Decode a header field; field by field, since real files hold latin-1 and stray zero bytes."""
    return raw.replace(b"\0", b" ").decode("latin-1").strip()


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _start(head: bytes) -> datetime | None:
    """Return the start; years 85 to 99 are 1985 to 1999 (the EDF clipping date)."""
    try:
        day, month, year = (int(part) for part in _text(head[168:176]).split("."))
        hour, minute, second = (int(part) for part in _text(head[176:184]).replace(":", ".").split("."))
        return datetime(year + (1900 if year >= 85 else 2000), month, day) + timedelta(
            hours=hour, minutes=minute, seconds=second
        )
    except ValueError:
        return None


def _tals(raw: bytes, path: Path) -> list[tuple[float, float, list[str]]]:
    """Split one record of an annotation signal into (onset_s, duration_s, texts)."""
    result = []
    for tal in raw.split(b"\x14\x00"):
        tal = tal.strip(b"\0")
        if not tal:
            continue
        timing, *texts = tal.split(b"\x14")
        onset, _, duration = timing.partition(b"\x15")
        try:
            numbers = float(onset), float(duration or 0)
        except ValueError as error:
            raise RecordingError(f"unreadable EDF+ annotation {tal[:40]!r}", path=path) from error
        result.append((*numbers, [text.decode("utf-8", "replace") for text in texts]))
    return result

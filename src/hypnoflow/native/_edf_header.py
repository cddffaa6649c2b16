"""Headers of EDF, EDF+, BDF and BDF+ files: what the writers meant, whatever they got wrong.

Formats: Kemp et al. 1992 (EDF), Kemp & Olivan 2003 (EDF+), https://www.edfplus.info; BDF as BioSemi's 24-bit form
of the same header, https://www.biosemi.com/faq/file_format.htm.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native._unique import renamed, unused
from hypnoflow.native.source import Identity, reading

_FIELDS = (  # name, width in bytes, of the part of the header that lists every signal
    ("label", 16), ("transducer", 80), ("unit", 8), ("physical_min", 8), ("physical_max", 8),
    ("digital_min", 8), ("digital_max", 8), ("prefilter", 80), ("samples", 8), ("reserved", 32),
)  # fmt: skip
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LARGEST = 1e30  # physical values beyond it would overflow float32 somewhere
_SHORTEST_S = Fraction(1, 10**6)  # of a data record that holds samples
BDF_MAGIC = b"\xffBIOSEMI"


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """One signal as the header describes it; `offset` is its first sample within a data record."""

    label: str
    unit: str
    physical: tuple[float, float]
    digital: tuple[float, float]
    samples: int
    offset: int
    is_annotation: bool

    def scale(self, factor: float) -> tuple[float, float] | None:
        """Return (gain, offset) from digital values to `factor` times the unit; None where the ranges give none.

        A physical minimum above the maximum is legal: the gain is negative.
        """
        (p0, p1), (d0, d1) = self.physical, self.digital
        if p0 == p1 or d0 == d1 or max(abs(p0), abs(p1)) * factor > _LARGEST:
            return None
        gain = (p1 - p0) / (d1 - d0) * factor
        offset = p0 * factor - d0 * gain
        return (gain, offset) if 1 / _LARGEST < abs(gain) < _LARGEST and abs(offset) < _LARGEST else None


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """The header of one file; `records_said` may be -1 or wrong."""

    signals: dict[str, EdfSignal]
    start: datetime | None
    record_s: Fraction
    records_said: int
    sample_bytes: int
    kind: str  # the reserved field: "EDF+C", "EDF+D", "BDF+C", "24BIT", "" …
    warnings: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        """Length of the header."""
        return 256 * (len(self.signals) + 1)

    @property
    def record_samples(self) -> int:
        """Samples of all signals in one data record."""
        return sum(signal.samples for signal in self.signals.values())


def read_header(path: Path) -> tuple[EdfHeader, Identity]:
    """Read the header of a file; return it with what the file was then.

    Raises
    ------
    RecordingError
        If the file cannot be opened, is no EDF or BDF file, or says something that cannot be.
    """
    try:
        with reading(path):
            identity = Identity.of(path.stat(), path)
            with path.open("rb") as file:
                head = file.read(256)
                n_signals = int(_text(head[252:256]))
                listing = file.read(256 * max(n_signals, 0))
    except ValueError as error:
        raise RecordingError("not an EDF file: its header gives no number of signals", path=path) from error
    if n_signals < 1 or len(listing) < 256 * n_signals:
        raise RecordingError(
            f"the EDF header is cut off: {n_signals} signals in {identity.size} bytes",
            path=path,
            hint="download it again",
        )
    try:
        return _parse(head, listing, n_signals), identity
    except ValueError as error:
        raise RecordingError(f"the EDF header is damaged ({error})", path=path) from error


def _parse(head: bytes, listing: bytes, n_signals: int) -> EdfHeader:
    warnings: list[str] = []
    is_bdf = head[:8] == BDF_MAGIC
    if not is_bdf and _text(head[:8]) != "0":
        warnings.append(f"the header begins with {_text(head[:8])!r}, neither EDF nor BDF; read as EDF")
    signals = _signals(listing, n_signals, warnings)
    record_s = _exact(_text(head[244:252]))
    samples = sum(signal.samples for signal in signals.values())
    if samples < 1 or (any(not s.is_annotation for s in signals.values()) and record_s < _SHORTEST_S):
        raise ValueError(f"{samples} samples in records of {float(record_s):g} s")
    return EdfHeader(
        signals=signals,
        start=_start(head, warnings),
        record_s=record_s,
        records_said=_whole(_text(head[236:244])),
        sample_bytes=3 if is_bdf else 2,
        kind=_text(head[192:236])[:5].upper(),
        warnings=tuple(warnings),
    )


def _signals(listing: bytes, n: int, warnings: list[str]) -> dict[str, EdfSignal]:
    columns, at = {}, 0
    for name, width in _FIELDS:
        columns[name] = [_text(listing[at + i * width : at + (i + 1) * width]) for i in range(n)]
        at += n * width
    signals: dict[str, EdfSignal] = {}
    offset = 0
    for i, label in enumerate(columns["label"]):
        is_annotation = label.startswith(("EDF Annotations", "BDF Annotations"))
        name = unused(label, signals)
        if name != label and not is_annotation:
            warnings.append(renamed(label, name))
        physical = (_number(columns["physical_min"][i]), _number(columns["physical_max"][i]))
        digital = (_number(columns["digital_min"][i]), _number(columns["digital_max"][i]))
        samples = _whole(columns["samples"][i])
        if samples < 0:
            raise ValueError(f"signal {label!r} has {samples} samples a record")
        signals[name] = EdfSignal(name, columns["unit"][i], physical, digital, samples, offset, is_annotation)
        offset += samples
    return signals


def _text(raw: bytes) -> str:
    """Decode a header field by itself: the standard says ASCII; real files hold UTF-8, latin-1 and zero bytes."""
    raw = raw.replace(b"\0", b" ")
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()


def _number(text: str) -> float:
    value = float(text.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(f"{text!r} where a number must be")
    return value


def _whole(text: str) -> int:
    value = _number(text)
    if value != int(value) or abs(value) >= 1e8:  # the field has eight characters
        raise ValueError(f"{text!r} where a whole number must be")
    return int(value)


def _exact(text: str) -> Fraction:
    """Return a decimal number as the fraction that it is: 0.9765625 is 125/128."""
    return Fraction(text.replace(",", ".")) if _number(text) else Fraction(0)


def _start(head: bytes, warnings: list[str]) -> datetime | None:
    """Return the start; the date's year may stand in full in the recording field alone (EDF+, after 2084)."""
    day = _date(head[168:176])
    full = _full_date(head[88:168])
    if full is not None:
        if day is None or (day.day, day.month) == (full.day, full.month):
            day = full
        elif day != full:
            warnings.append(f"the header's date is {day}, its recording field says {full}; taken as {day}")
    try:
        hour, minute, second = (int(part) for part in re.split(r"[.:]", _text(head[176:184])))
        clock = time(hour, minute, second)
    except ValueError:
        return None
    return None if day is None else datetime.combine(day, clock)


def _date(raw: bytes) -> date | None:
    """Return the date ``dd.mm.yy``; years 85 to 99 are 1985 to 1999 (the EDF clipping date)."""
    try:
        day, month, year = (int(part) for part in re.split(r"[./:-]", _text(raw)))
        return date(year + (1900 if year >= 85 else 2000), month, day)
    except ValueError:
        return None


def _full_date(raw: bytes) -> date | None:
    """Return the date of an EDF+ recording field, ``Startdate dd-MMM-yyyy …``."""
    match = re.match(r"Startdate (\d\d)-([A-Z]{3})-(\d{4})\b", _text(raw), re.IGNORECASE)
    if match is None or match[2].upper() not in _MONTHS:
        return None
    try:
        return date(int(match[3]), _MONTHS.index(match[2].upper()) + 1, int(match[1]))
    except ValueError:
        return None

"""EDF, EDF+ and BDF signals: each at its own rate, read one at a time, on the time axis that the file gives.

Formats: Kemp et al. 1992 (EDF), Kemp & Olivan 2003 (EDF+), https://www.edfplus.info; BDF is the same with 24-bit
samples, told by its first bytes, not by the file's suffix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypnoflow.errors import RecordingError
from hypnoflow.native._edf_columns import Columns
from hypnoflow.native._edf_header import EdfSignal, read_header
from hypnoflow.native.damaged import LONGEST_S, seconds
from hypnoflow.types import FloatArray, Samples, StageRun

if TYPE_CHECKING:
    from hypnoflow.store.shard import Map

# Lower-case spellings; the micro sign and the Greek letter look alike and are two characters.
TO_UV = {"uv": 1.0, "µv": 1.0, "μv": 1.0, "nv": 1e-3, "mv": 1e3, "v": 1e6}
LARGEST_GAPPED = 2**28  # samples of one signal that is gaps for more than half
JITTER_S = 1e-3  # onsets are often written to the millisecond
_BLOCK_SAMPLES = 2**18  # that are brought to their unit at a time


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Data records that follow each other without a gap; the first begins `onset_s` after the recording does."""

    first: int
    count: int
    onset_s: float


class EdfFile:
    """An EDF or BDF file whose signals are read one at a time.

    A record count of -1, or one larger than the file holds, is replaced by the whole records that are there,
    with a warning. Duplicate labels get a suffix ``#2``, ``#3``, …; signals without samples are left out. In a
    discontinuous file (EDF+D, BDF+D) the gaps are part of the time axis, and samples in them are NaN.

    Raises
    ------
    RecordingError
        If the file is not EDF, holds not one whole record, has records that overlap or lack their onset, or
        lasts more than `LONGEST_S`. From any method that reads: if the file cannot be read, or was changed, cut off
        or taken away since it was opened.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        header, identity = read_header(self.path)
        self._header, self._signals = header, header.signals
        self.warnings: list[str] = list(header.warnings)
        self.record_s = float(header.record_s)
        self.n_records = self._count_records(identity.size)
        self._warn_of_signals()
        self._columns = Columns(self.path, identity, header, self.n_records)
        self._first_onset_s = 0.0
        self._stretches = [_Stretch(0, self.n_records, 0.0)]
        if self.labels:
            self._place_records()
            self._check_size()

    @property
    def labels(self) -> Sequence[str]:
        """Labels of the ordinary signals, in file order."""
        return [label for label, s in self._signals.items() if s.samples and not s.is_annotation]

    @property
    def start(self) -> datetime | None:
        """Start of the first sample; None where the header's date is impossible."""
        start = self._header.start
        # EDF+ keeps the part of a second that the header's clock has no room for in the first record's onset.
        return start + timedelta(seconds=self._first_onset_s) if start and 0 < self._first_onset_s < 1 else start

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the end of the last whole record, gaps included, s."""
        last = self._stretches[-1]
        return last.onset_s + float(last.count * self._header.record_s)

    @property
    def gaps_s(self) -> list[tuple[float, float]]:
        """Stretches without data within the recording, (start_s, end_s)."""
        ends = [s.onset_s + float(s.count * self._header.record_s) for s in self._stretches]
        return [(end, after.onset_s) for end, after in zip(ends, self._stretches[1:], strict=False)]

    def rate_hz(self, label: str) -> float:
        """Return the sampling rate of a signal, Hz."""
        return float(self._signals[label].samples / self._header.record_s)

    def unit(self, label: str) -> str:
        """Return "uV" for a potential in V, mV, uV or nV, else the header's text; "" for digital values."""
        s = self._signals[label]
        factor = uv_factor(s.unit)
        if s.scale(factor or 1.0) is None:
            return ""
        return s.unit if factor is None else "uV"

    def expect(self, labels: Sequence[str], run: Map = map) -> None:
        """Read ahead, since one pass over the file reads several signals; `run` maps a function over its parts.

        Parameters
        ----------
        labels : sequence of str
            Signals that will be asked for, each as often as it will be.
        """
        self._columns.expect([label for label in labels if label in self._signals], run)

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in `unit`; NaN where the file has a gap."""
        s = self._signals[label]
        rate_hz, last = self.rate_hz(label), self._stretches[-1]
        n = math.floor(last.onset_s * rate_hz + 0.5) + last.count * s.samples
        raw, x = self._columns.take(label), np.empty(n, np.float32)
        done = 0
        for stretch in self._stretches:
            # Onsets are seldom whole samples: the nearest, and never before the end of what is there.
            begin = max(math.floor(stretch.onset_s * rate_hz + 0.5), done)
            begin = min(begin, n - stretch.count * s.samples)
            x[done:begin] = np.nan
            done = begin + stretch.count * s.samples
            records = slice(stretch.first, stretch.first + stretch.count)
            self._fill(x[begin:done].reshape(stretch.count, s.samples), s, raw[records])
        return x

    def samples(self, label: str) -> Samples:
        """Return a signal as the integers of the file; in its unit where they have 24 bits or gaps between them."""
        if self._header.sample_bytes != 2 or self.gaps_s:
            return Samples(self.read(label))
        values = self._columns.take(label).view("<i2").astype(np.int16, copy=False)
        return Samples(values.reshape(-1), *self._scale(self._signals[label]))

    def annotations(self) -> list[StageRun]:
        """Return the EDF+ annotations in file order, times from the recording's start, s."""
        found: list[StageRun] = []
        first_onset: float | None = None
        for s in self._signals.values():
            if not (s.is_annotation and s.samples):
                continue
            for record in self._tal_bytes(s):
                for onset, duration, texts in _tals(record, self.path):
                    if first_onset is None:
                        first_onset = onset  # the time-keeping one of the first record
                    found += [StageRun(onset - first_onset, duration, text) for text in texts if text]
        return found

    # --- samples ---------------------------------------------------------------------------------------------

    def _fill(self, x: FloatArray, s: EdfSignal, raw: NDArray[np.uint8]) -> None:
        """Write physical values into `x`, shape (record, sample), from the bytes `raw`, shape (record, byte)."""
        gain, offset = self._scale(s)
        if self._header.sample_bytes == 3:
            gain /= 256  # the 24 bits are read as the upper ones of 32
        step = max(_BLOCK_SAMPLES // s.samples, 1)
        for done in range(0, len(x), step):
            part, block = x[done : done + step], raw[done : done + step]
            part[:] = block.view("<i2") if self._header.sample_bytes == 2 else _shifted_24_bit(block)
            if gain != 1:
                part *= np.float32(gain)
            if offset:
                part += np.float32(offset)

    @staticmethod
    def _scale(s: EdfSignal) -> tuple[float, float]:
        """Return gain and offset to the unit; those of digital values where the header gives no usable range."""
        return s.scale(uv_factor(s.unit) or 1.0) or (1.0, 0.0)

    def _tal_bytes(self, s: EdfSignal) -> Iterator[bytes]:
        """Yield the bytes of an annotation signal, one record at a time."""
        for record in self._columns.take(s.label):
            yield record.tobytes()

    # --- records and their onsets ----------------------------------------------------------------------------

    def _count_records(self, size: int) -> int:
        said = self._header.records_said
        held, rest = divmod(size - self._header.n_bytes, self._header.sample_bytes * self._header.record_samples)
        if held < 1:
            raise RecordingError(
                f"the EDF file holds no whole data record ({size} bytes)", path=self.path, hint="download it again"
            )
        read = held if said < 1 else min(said, held)
        if said != held or rest:
            torn = f" and {rest} bytes of a torn one" if rest else ""
            self.warnings.append(f"the header says {said} data records, the file holds {held}{torn}; read {read}")
        return read

    def _warn_of_signals(self) -> None:
        for label, s in self._signals.items():
            if s.is_annotation:
                continue
            if not s.samples:
                self.warnings.append(f"signal {label!r} has no samples; left out")
            elif s.physical[0] == s.physical[1]:
                self.warnings.append(f"signal {label!r}: physical minimum equals maximum, read as digital values")
            elif s.digital[0] == s.digital[1]:
                self.warnings.append(f"signal {label!r}: digital minimum equals maximum, read as digital values")
            elif s.scale(uv_factor(s.unit) or 1.0) is None:
                self.warnings.append(
                    f"signal {label!r}: impossible physical range {s.physical}, read as digital values"
                )

    def _check_size(self) -> None:
        """Refuse what would fill the memory with gaps, before anything is allocated."""
        held = self.n_records * max(self._signals[label].samples for label in self.labels)
        samples = held * (self.duration_s / (self.n_records * self.record_s))
        if self.duration_s > LONGEST_S or samples > max(LARGEST_GAPPED, 2 * held):
            raise RecordingError(
                f"the recording lasts {self.duration_s / 3600:.1f} h, {sum(e - s for s, e in self.gaps_s):g} s of it "
                f"gaps, up to {samples:.3g} samples a signal; the longest that is read is {LONGEST_S / 3600:g} h",
                path=self.path,
                hint="cut it into nights, or correct the onsets or the record duration that it states",
            )

    def _place_records(self) -> None:
        """Find where each record begins: said by its time-keeping annotation in EDF+D, one after another else."""
        keeper = next((s for s in self._signals.values() if s.is_annotation and s.samples), None)
        has_gaps = self._header.kind in ("EDF+D", "BDF+D")
        if keeper is None:
            if has_gaps:
                raise RecordingError(
                    f"{self._header.kind}, but no signal of annotations says when its records begin",
                    path=self.path,
                    hint="export it again, as EDF+C",
                )
            return
        if not has_gaps:
            self._check_continuous(keeper)
            return
        onsets = np.array([self._onset(raw, i) for i, raw in enumerate(self._tal_bytes(keeper))])
        self._first_onset_s = float(onsets[0])
        self._stretches = self._find_stretches(onsets - onsets[0])
        lost = [end - start for start, end in self.gaps_s]
        if lost:
            count = "1 gap" if len(lost) == 1 else f"{len(lost)} gaps"
            self.warnings.append(
                f"{self._header.kind}: {count}, {sum(lost):g} s in all, the longest {max(lost):g} s; unscored"
            )

    def _check_continuous(self, keeper: EdfSignal) -> None:
        """Take the fraction of a second from the first onset; say so where the last contradicts "continuous"."""
        ends = [(self._columns.of_record(keeper.label, i), i) for i in (0, self.n_records - 1)]
        try:
            first, last = (self._onset(raw, i) for raw, i in ends)
        except RecordingError as error:
            self.warnings.append(error.what)
            return
        self._first_onset_s = first
        excess_s = last - first - (self.n_records - 1) * self.record_s
        if abs(excess_s) > self._tolerance_s():
            self.warnings.append(
                f"said to be continuous, but the last record's onset is {excess_s:+g} s off; read as continuous"
            )

    def _onset(self, raw: bytes, record: int) -> float:
        """Return the onset that the time-keeping annotation, the first of a record, gives."""
        text = raw.partition(b"\x14")[0]
        onset = seconds(text)
        if math.isnan(onset):
            raise RecordingError(f"record {record} does not say when it begins: {text[:20]!r}", path=self.path)
        return onset

    def _tolerance_s(self) -> float:
        """Return the jitter of onsets that is no gap: less than a sample of the fastest signal."""
        return max(self.record_s / max(self._signals[label].samples for label in self.labels), JITTER_S)

    def _find_stretches(self, onsets_s: NDArray[np.float64]) -> list[_Stretch]:
        """Join records that follow each other within the tolerance; `onsets_s` begins with 0."""
        tolerance_s, jitter_s = self._tolerance_s(), 0.0
        stretches, first = [], 0
        for record in range(1, len(onsets_s)):
            expected_s = onsets_s[first] + float((record - first) * self._header.record_s)
            late_s = onsets_s[record] - expected_s
            if late_s < -tolerance_s:
                raise RecordingError(
                    f"record {record} begins at {onsets_s[record]:g} s, before the one ahead of it ends "
                    f"({expected_s:g} s)",
                    path=self.path,
                    hint="the file joins overlapping recordings, or its clock was set back: cut it there",
                )
            if late_s <= tolerance_s:
                jitter_s = max(jitter_s, abs(late_s))
                continue
            stretches.append(_Stretch(first, record - first, float(onsets_s[first])))
            first = record
        stretches.append(_Stretch(first, len(onsets_s) - first, float(onsets_s[first])))
        if jitter_s > 1e-6:
            self.warnings.append(f"record onsets jitter by up to {1e3 * jitter_s:.3g} ms; taken as contiguous")
        return stretches


def uv_factor(unit: str) -> float | None:
    """Return what brings a unit to microvolts; None where it is no potential."""
    return TO_UV.get(unit.strip().lower())


def _shifted_24_bit(raw: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return little-endian 24-bit samples as the upper bytes of 32 bits: 256 times their value, sign and all."""
    rows, width = raw.shape
    packed = np.empty(rows * width + 1, np.uint8)  # the last window reaches one byte beyond the last sample
    packed[:-1].reshape(rows, width)[:] = raw
    packed[-1] = 0
    windows = np.ndarray((rows, width // 3), "<i4", packed.data, 0, (width, 3))  # each overlaps the next by a byte
    return np.left_shift(windows, 8)


def _tals(raw: bytes, path: Path) -> list[tuple[float, float, list[str]]]:
    """Split one record of an annotation signal into (onset_s, duration_s, texts)."""
    result = []
    for tal in raw.split(b"\x14\x00"):
        tal = tal.strip(b"\0")
        if not tal:
            continue
        timing, *texts = tal.split(b"\x14")
        onset, _, duration = timing.partition(b"\x15")
        numbers = seconds(onset), seconds(duration or b"0")
        if math.isnan(numbers[0]) or not numbers[1] >= 0:
            raise RecordingError(f"unreadable EDF+ annotation {tal[:40]!r}", path=path)
        result.append((*numbers, [text.decode("utf-8", "replace") for text in texts]))
    return result

"""Damaged files for every reader: a table of formats, and the ways in which files come to harm.

To add a format, write a function that returns its valid files as bytes, one that reads them and checks what it got,
and a row of `FORMATS`.
"""

from __future__ import annotations

import faulthandler
import io
import json
import re
import resource
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import psutil
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from hypnoflow.errors import RecordingError
from hypnoflow.io.annotations.challenge2018 import read_challenge2018
from hypnoflow.io.annotations.nsrr_xml import read_nsrr_xml
from hypnoflow.io.annotations.per_epoch import read_json_epochs
from hypnoflow.io.dod import DodFile
from hypnoflow.io.edf import EdfFile
from hypnoflow.io.wfdb import WfdbFile
from hypnoflow.types import SignalFile, StageRun
from tests.edf_bytes import Raw, Tals, edf_bytes

MEMORY = 512 * 2**20  # that a reader of these few kilobytes may take
LONGEST_S = 48 * 3600

Files = dict[str, bytes]


@dataclass(frozen=True)
class Format:
    """Valid files, which of them is damaged, and how the whole is read; `special` replaces the damaged file."""

    make: Callable[[], Files]
    damaged: str
    read: Callable[[Path], None]
    special: tuple[bytes, ...] = ()


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
    assert all(np.isfinite(r.onset_s) and 0 <= r.duration_s < np.inf and isinstance(r.label, str) for r in runs)


# --- EDF and BDF ---------------------------------------------------------------------------------------------


def waves(records: int, samples: int) -> np.ndarray:
    return np.round(9000 * np.sin(0.1 * np.arange(records * samples))).astype(int).reshape(records, samples)


SIGNALS = [Raw(waves(6, 50), "EEG C3"), Raw(waves(6, 20), "EOG", "mV"), Raw(waves(6, 1), "SaO2", "%")]
HYPNOGRAM = {0: "+0\x1530\x14Sleep stage W\x14\0", 1: "+30\x1560\x14Sleep stage 2\x14\0"}


def edf() -> Files:
    return {"a.edf": edf_bytes(SIGNALS, record_s="10")}


def edf_annotations() -> Files:
    return {"a.edf": edf_bytes([Tals(["+0", "+0"], HYPNOGRAM)], record_s="0", reserved="EDF+C")}


def edf_gaps() -> Files:
    onsets = ["+0", "+10", "+20", "+95.5", "+105.5", "+3600"]
    return {"a.edf": edf_bytes([*SIGNALS, Tals(onsets, HYPNOGRAM)], record_s="10", reserved="EDF+D")}


def bdf() -> Files:
    tals = Tals([f"+{10 * i}" for i in range(6)], HYPNOGRAM, "BDF Annotations")
    return {"a.bdf": edf_bytes([*SIGNALS, tals], record_s="10", reserved="BDF+C", bdf=True)}


def read_edf(folder: Path) -> None:
    (path,) = folder.iterdir()
    file = EdfFile(path)
    if file.labels:
        check_signals(file)
        assert not any(np.isinf(file.read(label)).any() for label in file.labels)
    check_runs(file.annotations())


# --- WFDB ----------------------------------------------------------------------------------------------------

ANNOTATION_MARKS = {0: "W", 100: "(resp_hypopnea", 150: "resp_hypopnea)", 300: "N2", 400: "(arousal_rera"}


def wfdb_record() -> Files:
    x = waves(3, 600).astype(np.int16)
    mat = io.BytesIO()
    savemat(mat, {"val": x}, format="4")
    lines = ["a 3 10 600 22:30:00 24/04/1999"]
    for row, label, scale in zip(x, ("F3-M2", "ECG", "SaO2"), ("50/uV", "8000(-120)/mV", "100/%"), strict=True):
        checksum = (int(row.astype(int).sum()) + 32768) % 65536 - 32768
        lines.append(f"a.mat 16+24 {scale} 16 0 {row[0]} {checksum} 0 {label}")
    with tempfile.TemporaryDirectory() as folder:
        samples, notes = zip(*ANNOTATION_MARKS.items(), strict=True)
        symbols = ['"'] * len(notes)
        wfdb.wrann("a", "arousal", np.array(samples), symbols, aux_note=list(notes), fs=10, write_dir=folder)
        arousal = (Path(folder) / "a.arousal").read_bytes()
    return {"a.hea": "\n".join(lines).encode() + b"\n", "a.mat": mat.getvalue(), "a.arousal": arousal}


def read_wfdb(folder: Path) -> None:
    check_signals(WfdbFile(folder / "a.hea"))


def read_arousal(folder: Path) -> None:
    marks = read_challenge2018(folder / "a.arousal", 10, 60)
    check_runs(marks.scorers["expert"])
    assert all(e.onset_s >= 0 and e.duration_s >= 0 for e in marks.events)


# --- HDF5, XML, JSON -----------------------------------------------------------------------------------------


def dod() -> Files:
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        file.create_dataset("signals/eeg/C3_M2", data=waves(1, 1500)[0].astype(np.float32), **packing)
        file["signals/eog/EOG1"] = waves(1, 1500)[0] / 1000
        file["hypnogram"] = np.array([-1, 0, 2, 4])
        table = [{"path": p, "fs": 25, "unit": u} for p, u in (("signals/eeg/C3_M2", "uV"), ("signals/eog/EOG1", "mV"))]
        file.attrs["description"] = json.dumps(table)
        file.attrs["start_time"] = 1_600_000_000
    return {"a.h5": target.getvalue()}


def read_dod(folder: Path) -> None:
    file = DodFile(folder / "a.h5")
    check_signals(file)
    assert all(isinstance(code, int) for code in file.hypnogram())


def nsrr_xml(head: str = "<?xml version='1.0' encoding='UTF-8'?>", concept: str = "Stage 2 sleep|2") -> bytes:
    events = [
        ("", "Recording Start Time", "0", "1800"),
        ("Stages|Stages", "Wake|0", "0.0", "870.0"),
        ("Stages|Stages", concept, "870", "930"),
        ("Respiratory|Respiratory", "Hypopnea|Hypopnea", "1000.5", "12.25"),
    ]
    fields = ("EventType", "EventConcept", "Start", "Duration")
    rows = ("".join(f"<{f}>{v}</{f}>" for f, v in zip(fields, event, strict=True)) for event in events)
    body = "".join(f"<ScoredEvent>{row}</ScoredEvent>\n" for row in rows)
    return f"{head}<PSGAnnotation><ScoredEvents>{body}</ScoredEvents></PSGAnnotation>".encode()


LAUGHS = "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10 if i else 'ha'}'>" for i in range(12))
XML_BOMBS = (
    nsrr_xml(f"<!DOCTYPE PSGAnnotation [{LAUGHS}]>", "&l11;"),
    nsrr_xml(f"<!DOCTYPE PSGAnnotation [<!ENTITY b '{'x' * 50_000}'>]>", "&b;" * 50_000),
    nsrr_xml("<!DOCTYPE PSGAnnotation [<!ENTITY f SYSTEM 'file:///etc/hostname'>]>", "&f;"),
    nsrr_xml("<!DOCTYPE PSGAnnotation [<!ENTITY % p SYSTEM 'http://localhost:1/x.dtd'> %p;]>"),
    nsrr_xml("<?xml version='1.0' encoding='no-such-code'?>"),
    nsrr_xml("<?xml version='1.0' encoding='utf-16'?>"),
    nsrr_xml("<?xml version='1.0' encoding='shift_jis'?>"),
    b"<PSGAnnotation>" + b"<a>" * 200_000,
    b"<PSGAnnotation>" + b"<a>" * 200_000 + b"</a>" * 200_000 + b"</PSGAnnotation>",
)


def read_xml(folder: Path) -> None:
    annotations = read_nsrr_xml(folder / "a.xml")
    check_runs(annotations.scorers["expert"])


def epochs() -> Files:
    return {"a.json": json.dumps([-1, 0, 1, 2, 3, 4, 0, 0]).encode()}


JSON_BOMBS = (b"[" * 200_000, b"[" + b"9" * 10_000 + b"]", b'{"a": 1}', b"[[0], [1]]", b"\xef\xbb\xbf[0, 1]", b"[NaN]")


FORMATS = {
    "EDF": Format(edf, "a.edf", read_edf),
    "EDF+ annotations": Format(edf_annotations, "a.edf", read_edf),
    "EDF+D": Format(edf_gaps, "a.edf", read_edf),
    "BDF": Format(bdf, "a.bdf", read_edf),
    "WFDB header": Format(wfdb_record, "a.hea", read_wfdb),
    "WFDB signals": Format(wfdb_record, "a.mat", read_wfdb),
    "WFDB annotations": Format(wfdb_record, "a.arousal", read_arousal),
    "DOD HDF5": Format(dod, "a.h5", read_dod),
    "NSRR XML": Format(lambda: {"a.xml": nsrr_xml()}, "a.xml", read_xml, XML_BOMBS),
    "JSON per epoch": Format(
        epochs, "a.json", lambda folder: check_runs(read_json_epochs(folder / "a.json")), JSON_BOMBS
    ),
}

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
        assert not isinstance(error.__cause__, MemoryError)  # a size was believed
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


def fuzz(name: str, folder: Path, examples: int, *, derandomize: bool = True) -> Counter[str]:
    """Read `examples` damaged files of one format and return how many were read and refused."""
    format_ = FORMATS[name]
    files = format_.make()
    fixed = Format(lambda: files, format_.damaged, format_.read)
    counts: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        derandomize=derandomize,
        deadline=5000,  # ms for one example
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(STEPS)
    def one(steps: list) -> None:
        counts[outcome(fixed, damage(files[format_.damaged], steps), folder)] += 1

    with bounded_memory():
        one()
    return counts

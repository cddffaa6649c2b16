"""Hypnograms and events of every dialect that is read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from openpyxl import Workbook

from hypnoflow.cohorts.layouts.tables import read_sheet
from hypnoflow.native.annotations.hypnogram import read_hypnogram
from hypnoflow.native.annotations.ids import read_ids
from hypnoflow.native.annotations.isruc import events_of_rows, read_epochs
from hypnoflow.native.annotations.mass import read_mass_events
from hypnoflow.native.annotations.nsrr_xml import read_nsrr_xml
from hypnoflow.native.annotations.per_epoch import read_json_epochs
from hypnoflow.native.annotations.profusion import read_profusion
from hypnoflow.native.annotations.ucddb import read_respiratory
from hypnoflow.types import StageRun
from tests.edf_bytes import Tals, edf_bytes
from tests.formats.signals import HYPNOGRAM
from tests.fuzzing import Files, Format, check_annotations, check_events, check_runs

START = datetime(2020, 1, 2, 23, 30)

# --- XML and JSON --------------------------------------------------------------------------------------------


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

# --- Profusion, MASS, UCDDB, ISRUC ---------------------------------------------------------------------------


def profusion(head: str = "<?xml version='1.0' encoding='UTF-8'?>", stage: str = "5") -> bytes:
    stages = "".join(f"<SleepStage>{s}</SleepStage>" for s in (0, 0, 1, 2, 3, 4, stage, 9))
    event = "<Name>{}</Name><Start>{}</Start><Duration>{}</Duration><Input>{}</Input>"
    events = (("Hypopnea", "60.5", "12.25", "Flow"), ("SpO2 desaturation", "70", "20", "SpO2"), ("Unsure", 90, 11, ""))
    body = "".join(f"<ScoredEvent>{event.format(*fields)}</ScoredEvent>" for fields in events)
    return (
        f"{head}<CMPStudyConfig><EpochLength>30</EpochLength><ScoredEvents>{body}</ScoredEvents>"
        f"<SleepStages>{stages}</SleepStages></CMPStudyConfig>"
    ).encode()


PROFUSION_BOMBS = (
    profusion(f"<!DOCTYPE CMPStudyConfig [{LAUGHS}]>", "&l11;"),
    profusion("<!DOCTYPE CMPStudyConfig [<!ENTITY f SYSTEM 'file:///etc/hostname'>]>", "&f;"),
    profusion("<?xml version='1.0' encoding='no-such-code'?>"),
    profusion("<?xml version='1.0' encoding='utf-16'?>"),
    profusion().replace(b"<EpochLength>30", b"<EpochLength>1e308"),
    profusion().replace(b"<Duration>20", b"<Duration>-20"),
    b"<CMPStudyConfig>" + b"<a>" * 200_000,
)


def mass() -> Files:
    texts = (
        '<Event channel="C3" groupName="MicroArousal" name="CARSM" scoringType="expert"/>',
        '<Event channel="L" groupName="PLMS" name="a"/>',
        "no XML",
    )
    tals = {i: f"+{10 * i}.5\x151.25\x14{text}\x14\0" for i, text in enumerate(texts)}
    return {"Annotations.edf": edf_bytes([Tals(["+0"] * 3, tals, samples=80)], record_s="0", reserved="EDF+C")}


def read_mass(folder: Path) -> None:
    events, warnings = read_mass_events(folder / "Annotations.edf")
    check_events(events)
    assert all(isinstance(warning, str) for warning in warnings)


RESPEVT = (
    b"  Time      Type        PB/CS  Duration\r\n\r\n"
    b"23:45:10  HYP-C               17   84.6     2.6\r\n"
    b"00:01:59  APNEA-O              9   84.9     6.3\r\n"
    b"05:12:30  PB\r\n"
    b"\x1a"
)


def isruc_workbook() -> Files:
    book = Workbook()
    for row in (("Epoch", "Stage", "Events"), (1, "W", None), (2, "N1", "AR, OH"), (3, "N2", "LM"), (4, "R", 7)):
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return {"1_1.xlsx": target.getvalue()}


# --- dialects that are told apart by what the file holds -----------------------------------------------------

TABLE = b"onset\tduration\tsleep_stage\tscorer\n0\t30\tW\tA\n30.0\t60\tN2\tA\n0\tn/a\tN1\tB\n60\t30\tREM\tB\n"
EVENTS = b"onset,duration,trial_type\n0,30,Sleep stage W\n30,30,Sleep stage 2\n41.5,12.25,Hypopnea\n60,,Sleep stage R\n"
CLOCKS = b"Start;End;Stage\r\n23:30:00;23:30:30;W\r\n23:30:30;00:10:00;N2\r\n12:10:00 am;12:10:30 am;R\r\n"
EPOCHS_CSV = b"epoch,stage\n1,W\n2,N1\n4,N2\n5,?\n"
LUNA = (
    b"# hypnogram\nclass\tinstance\tchannel\tstart\tstop\tmeta\nN1\t.\t.\t0\t30\t.\n"
    b"sleep_stage\tN2\t.\te:2\te:3\t.\narousal\t.\tC3\t23:31:00.5\t+12.5\tx=1\nREM\t.\t.\t0+00:01:30\t...\t.\n"
)


def one(name: str, raw: bytes) -> Callable[[], Files]:
    return lambda: {name: raw}


def _runs(name: str, read: Callable[[Path], list[StageRun]]) -> Callable[[Path], None]:
    return lambda folder: check_runs(read(folder / name))


def read_any(name: str, folder: Path) -> None:
    check_annotations(read_hypnogram(folder / name, start=START).annotations)


def hypnogram(name: str, raw: bytes, special: tuple[bytes, ...] = ()) -> Format:
    return Format(one(name, raw), name, partial(read_any, name), special)


TEXT_BOMBS = (b"1" * 1_000_000, b"," * 1_000_000, b"W\n" * 500_000, b'"' + b"a" * 500_000, b"\xff\xfe" + b"\0" * 501)

FORMATS = {
    "NSRR XML": Format(lambda: {"a.xml": nsrr_xml()}, "a.xml", read_xml, XML_BOMBS),
    "JSON per epoch": Format(epochs, "a.json", _runs("a.json", read_json_epochs), JSON_BOMBS),
    "Profusion XML": Format(
        one("a.xml", profusion()),
        "a.xml",
        lambda folder: check_annotations(read_profusion(folder / "a.xml")),
        PROFUSION_BOMBS,
    ),
    "ids": Format(one("a.ids", b"0,600,W\n600,30,N1\n630,90.5,UNKNOWN\n"), "a.ids", _runs("a.ids", read_ids)),
    "ISRUC per epoch": Format(one("1_1.txt", b"0\r\n1\r\n2\r\n5\r\n\r\n"), "1_1.txt", _runs("1_1.txt", read_epochs)),
    "ISRUC events": Format(
        isruc_workbook, "1_1.xlsx", lambda folder: check_events(events_of_rows(read_sheet(folder / "1_1.xlsx")))
    ),
    "UCDDB events": Format(
        one("respevt.txt", RESPEVT),
        "respevt.txt",
        lambda folder: check_events(read_respiratory(folder / "respevt.txt", START)),
        refused_share=0.05,  # most of the file is a heading and columns of text that are not read
    ),
    "MASS events": Format(mass, "Annotations.edf", read_mass),
    "any: NSRR XML": hypnogram("a.xml", nsrr_xml(), XML_BOMBS),
    "any: EDF+": hypnogram("a.edf", edf_bytes([Tals(["+0"] * 2, HYPNOGRAM)], record_s="0", reserved="EDF+C")),
    "any: table": hypnogram("a.tsv", TABLE, TEXT_BOMBS),
    "any: events.tsv": hypnogram("a.csv", EVENTS),
    "any: clock times": hypnogram("a.csv", CLOCKS),
    "any: numbered epochs": hypnogram("a.csv", EPOCHS_CSV),
    "any: stage per line": hypnogram("a.txt", b"W\nN1\nN2\nStage 3\nREM\n?\n"),
    "any: ids": hypnogram("a.ids", b"0,600,W\n600,30,N1\n630,90.5,R\n"),
    "any: Luna": hypnogram("a.annot", LUNA, TEXT_BOMBS),
}

"""The dialects of annotations, against files written by hand and by wfdb."""

from __future__ import annotations

import json

import numpy as np
import pytest
import wfdb

from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations.challenge2018 import read_challenge2018
from hypnoflow.native.annotations.nsrr_xml import read_nsrr_xml
from hypnoflow.native.annotations.per_epoch import epoch_runs, read_json_epochs

RATE_HZ = 200
RECORDING_START = ("", "Recording Start Time", "0", "1800")

# --- NSRR XML ------------------------------------------------------------------------------------------------


def write_xml(folder, events, root="PSGAnnotation"):
    """Write an NSRR XML; `events` are (type, concept, start, duration[, location])."""
    fields = ("EventType", "EventConcept", "Start", "Duration", "SignalLocation")
    body = "".join(
        "<ScoredEvent>" + "".join(f"<{f}>{v}</{f}>" for f, v in zip(fields, event, strict=False)) + "</ScoredEvent>"
        for event in (RECORDING_START, *events)
    )
    path = folder / "shhs1-200001-nsrr.xml"
    path.write_text(
        f"<?xml version='1.0' encoding='UTF-8'?><{root}><SoftwareVersion>Compumedics</SoftwareVersion>"
        f"<EpochLength>30</EpochLength><ScoredEvents>{body}</ScoredEvents></{root}>"
    )
    return path


def read_one(folder, kind, concept, **options):
    (event,) = read_nsrr_xml(write_xml(folder, [(kind, concept, "61.5", "12.25", "EEG")]), **options).events
    return event


def test_stages_keep_their_run_length_and_the_start_mark_is_no_event(tmp_path):
    stages = [("Stages|Stages", "Wake|0", "0.0", "870.0"), ("Stages|Stages", "Stage 2 sleep|2", "870", "30")]
    annotations = read_nsrr_xml(write_xml(tmp_path, stages))
    runs = [(r.onset_s, r.duration_s, r.label) for r in annotations.scorers["expert"]]
    assert runs == [(0, 870, "Wake|0"), (870, 30, "Stage 2 sleep|2")]
    assert annotations.events == ()


def test_an_event_keeps_time_place_and_the_files_own_word(tmp_path):
    event = read_one(tmp_path, "Respiratory|Respiratory", "Obstructive apnea|Obstructive Apnea")
    assert (event.onset_s, event.duration_s, event.channel) == (61.5, 12.25, "EEG")
    assert (event.kind, event.source) == ("apnea_obstructive", "Obstructive apnea|Obstructive Apnea")


def test_a_stage_of_negative_length_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"'Wake\|0' at 30 s lasts -30 s"):
        read_nsrr_xml(write_xml(tmp_path, [("Stages|Stages", "Wake|0", "30", "-30")]))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;'>]>", "EntitiesForbidden"),
        ("<!DOCTYPE a [<!ENTITY f SYSTEM 'file:///etc/hostname'>]>", "EntitiesForbidden"),
        ("<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://localhost:1/x.dtd'> %p;]>", "EntitiesForbidden"),
        ("<?xml version='1.0' encoding='no-such-code'?>", "unknown encoding"),
        ("<?xml version='1.0' encoding='shift_jis'?>", "encodings are not supported"),
    ],
)
def test_entities_and_unknown_encodings_are_refused(tmp_path, head, said):
    path = tmp_path / "a-nsrr.xml"
    path.write_text(f"{head}<PSGAnnotation><ScoredEvents/></PSGAnnotation>")
    with pytest.raises(RecordingError, match=said) as caught:
        read_nsrr_xml(path)
    assert caught.value.path == path


AROUSALS = (
    "Arousal|Arousal ()",
    "Arousal|Arousal (Standard)",
    "Arousal|Arousal (STANDARD)",
    "ASDA arousal|Arousal (ASDA)",
    "ASDA arousal|Arousal (ADSA)",
    "Spontaneous arousal|Arousal (apon aro)",
    "Arousal resulting from respiratory effort|Arousal (ARO RES)",
    "External arousal|Arousal (External Arousal)",
    "Arousal resulting from Chin EMG|Arousal (CHESHIRE)",
    "Arousal resulting from periodic leg movement|Arousal (PLM ARO)",
)


@pytest.mark.parametrize("concept", AROUSALS)
def test_every_spelling_of_an_arousal_is_one(tmp_path, concept):
    assert read_one(tmp_path, "Arousals|Arousals", concept).kind == "arousal"


def test_an_arousal_filed_elsewhere_is_one_by_its_name(tmp_path):
    assert read_one(tmp_path, "Technician Notes", "ASDA arousal|Arousal (asda)").kind == "arousal"


@pytest.mark.parametrize(("kind", "expected"), [("Arousals|Arousals", "arousal"), ("Respiratory|Respiratory", "rera")])
def test_a_rera_is_an_arousal_where_the_data_set_files_it_as_one(tmp_path, kind, expected):
    assert read_one(tmp_path, kind, "Respiratory effort related arousal|RERA").kind == expected


@pytest.mark.parametrize(
    ("kind", "concept", "expected"),
    [
        ("Respiratory|Respiratory", "Central apnea|Central Apnea", "apnea_central"),
        ("Respiratory|Respiratory", "Mixed apnea|Mixed Apnea", "apnea_mixed"),
        ("Respiratory|Respiratory", "Hypopnea|Hypopnea", "hypopnea"),
        ("Respiratory|Respiratory", "SpO2 desaturation|SpO2 desaturation", "desaturation"),
        ("Respiratory|Respiratory", "SpO2 artifact|SpO2 artifact", "other"),
        ("Respiratory|Respiratory", "Periodic breathing|Periodic Breathing", "other"),
        ("Limb Movement|Limb Movement", "Periodic leg movement - left|PLM (Left)", "limb_movement"),
        ("Technician Notes", "Technician Notes", "other"),
    ],
)
def test_events_get_the_kind_their_concept_names(tmp_path, kind, concept, expected):
    assert read_one(tmp_path, kind, concept).kind == expected


def test_unsure_is_a_hypopnea_unless_the_cohort_says_otherwise(tmp_path):
    assert read_one(tmp_path, "Respiratory|Respiratory", "Unsure|Unsure").kind == "hypopnea"
    chat = read_one(tmp_path, "Respiratory|Respiratory", "Unsure|Unsure", unsure="apnea_mixed")
    assert chat.kind == "apnea_mixed"


def test_a_file_without_scored_events_has_no_runs(tmp_path):
    path = tmp_path / "a-nsrr.xml"
    path.write_text("<PSGAnnotation/>")
    assert read_nsrr_xml(path).scorers == {"expert": []}


@pytest.mark.parametrize("text", ["", "stage,0,30", "<PSGAnnotation><ScoredEvents>", "\x00\x01"])
def test_malformed_xml_is_refused(tmp_path, text):
    path = tmp_path / "a-nsrr.xml"
    path.write_text(text)
    with pytest.raises(RecordingError, match="XML") as caught:
        read_nsrr_xml(path)
    assert caught.value.path == path


def test_another_root_element_is_refused_by_name(tmp_path):
    with pytest.raises(RecordingError, match="<CMPStudyConfig>.*<PSGAnnotation>"):
        read_nsrr_xml(write_xml(tmp_path, [], root="CMPStudyConfig"))


def test_the_real_profusion_xml_is_not_taken_for_nsrr(real_data):
    with pytest.raises(RecordingError, match="CMPStudyConfig"):
        read_nsrr_xml(real_data / "learn-nsrr01-profusion.xml")


@pytest.mark.parametrize("bad", ["", "soon", "nan", "inf"])
def test_an_event_without_a_readable_time_is_refused_by_name(tmp_path, bad):
    path = write_xml(tmp_path, [("Stages|Stages", "Wake|0", bad, "30")])
    with pytest.raises(RecordingError, match=r"Wake\|0.*Start"):
        read_nsrr_xml(path)


def test_xml_that_declares_entities_is_refused(tmp_path):
    path = tmp_path / "a-nsrr.xml"
    path.write_text('<!DOCTYPE x [<!ENTITY a "b">]><PSGAnnotation>&a;</PSGAnnotation>')
    with pytest.raises(RecordingError):
        read_nsrr_xml(path)


# --- Challenge 2018 ------------------------------------------------------------------------------------------


def write_arousal(folder, marks, name="tr03-0005"):
    """Write a .arousal file with wfdb; `marks` are (time in s, note)."""
    sample = np.array([round(at * RATE_HZ) for at, _ in marks])
    notes = [note for _, note in marks]
    wfdb.wrann(name, "arousal", sample, symbol=['"'] * len(marks), aux_note=notes, fs=RATE_HZ, write_dir=str(folder))
    return folder / f"{name}.arousal"


def read_marks(folder, marks, duration_s=1800):
    return read_challenge2018(write_arousal(folder, marks), RATE_HZ, duration_s)


def test_a_stage_holds_from_its_mark_to_the_next_and_the_last_to_the_end(tmp_path):
    annotations = read_marks(tmp_path, [(780, "W"), (840, "N1"), (1200, "R")], duration_s=1810)
    runs = [(r.onset_s, r.duration_s, r.label) for r in annotations.scorers["expert"]]
    assert runs == [(780, 60, "W"), (840, 360, "N1"), (1200, 610, "R")]  # never shifted to start at 0


def test_a_stage_marked_at_the_first_sample_counts(tmp_path):
    runs = read_marks(tmp_path, [(0, "W"), (60, "N1")]).scorers["expert"]
    assert [(r.onset_s, r.label) for r in runs] == [(0, "W"), (60, "N1")]


def test_events_run_from_their_opening_to_their_closing_even_when_nested(tmp_path):
    marks = [
        (30, "N2"),
        (100, "(resp_obstructiveapnea"),
        (110.5, "(arousal_rera"),
        (120, "resp_obstructiveapnea)"),
        (121, "arousal_rera)"),
    ]
    events = read_marks(tmp_path, marks).events
    found = [(e.onset_s, e.duration_s, e.kind, e.source) for e in events]
    assert found == [
        (100, 20, "apnea_obstructive", "resp_obstructiveapnea"),
        (110.5, 10.5, "rera", "arousal_rera"),
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("arousal_spontaneous", "arousal"),
        ("arousal_plm", "arousal"),
        ("resp_hypopnea", "hypopnea"),
        ("resp_partialobstructive", "hypopnea"),
        ("resp_centralapnea", "apnea_central"),
        ("resp_mixedapnea", "apnea_mixed"),
        ("resp_hypoventilation", "other"),
        ("resp_cheynestokesbreath", "other"),
    ],
)
def test_marks_get_the_kind_their_name_says(tmp_path, name, kind):
    marks = [(30, "N2"), (40, f"({name}"), (50, f"{name})")]
    assert [e.kind for e in read_marks(tmp_path, marks).events] == [kind]


def test_an_event_that_never_closes_is_left_out_and_said(tmp_path):
    annotations = read_marks(tmp_path, [(30, "N2"), (40, "(resp_hypopnea")])
    assert annotations.events == ()
    assert [w for w in annotations.warnings if "resp_hypopnea" in w and "40 s" in w]


def test_an_event_that_closes_without_opening_is_refused_with_its_name_and_time(tmp_path):
    with pytest.raises(RecordingError, match="resp_hypopnea.*50 s"):
        read_marks(tmp_path, [(30, "N2"), (50, "resp_hypopnea)")])


def test_a_file_with_events_but_no_stage_has_no_runs_or_is_refused(tmp_path):
    path = write_arousal(tmp_path, [(40, "(resp_hypopnea"), (50, "resp_hypopnea)")])
    try:
        assert read_challenge2018(path, RATE_HZ, 1800).scorers == {"expert": []}
    except RecordingError as error:
        assert error.path == path


@pytest.mark.parametrize("content", [b"", b"not wfdb at all, text", None])
def test_an_unreadable_annotation_file_is_refused(tmp_path, content):
    path = tmp_path / "tr03-0005.arousal"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordingError):
        read_challenge2018(path, RATE_HZ, 1800)


def test_a_stage_marked_after_the_records_end_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"'R' is marked after the record's end \(1800 s\)"):
        read_marks(tmp_path, [(30, "N2"), (1801, "R")])


def test_marks_that_run_backwards_are_refused(tmp_path):
    note = b"\x02\xfcN2"  # a note of two bytes
    back = b"\x00\xec\xff\xff\x9c\xff"  # SKIP of -100 samples, the upper half first
    mark = bytes([200, 22 << 2])  # 200 samples on, a mark of type 22
    path = tmp_path / "a.arousal"
    path.write_bytes(mark + note + back + bytes([10, 22 << 2]) + note + b"\0\0")
    with pytest.raises(RecordingError, match="mark 1 lies at sample 110, before"):
        read_challenge2018(path, RATE_HZ, 1800)


# --- one value per epoch -------------------------------------------------------------------------------------


def test_each_value_of_a_json_list_is_one_epoch(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[-1, 0, 4]")
    runs = [(r.onset_s, r.duration_s, r.label) for r in read_json_epochs(path)]
    assert runs == [(0, 30, "-1"), (30, 30, "0"), (60, 30, "4")]


def test_values_in_hand_become_runs_of_the_epochs_length():
    assert [(r.onset_s, r.duration_s, r.label) for r in epoch_runs([2, 3], 20)] == [(0, 20, "2"), (20, 20, "3")]


@pytest.mark.parametrize(("text", "said"), [("[0, 1", "JSON"), ('{"a": 1}', "dict"), ("", "JSON")])
def test_json_that_is_no_list_is_refused(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(RecordingError, match=said):
        read_json_epochs(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[0, [1], 2]", "epoch 1 is a list"), ('[{"a": 1}]', "epoch 0 is a dict"), ("[" * 99_999, "JSON")],
)
def test_json_that_holds_more_than_one_value_per_epoch_is_refused(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(RecordingError, match=said):
        read_json_epochs(path)


def test_a_byte_order_mark_before_the_json_is_passed_over(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[0, 1]")
    assert [run.label for run in read_json_epochs(path)] == ["0", "1"]


def test_the_real_scorers_file_has_its_known_number_of_epochs(real_data):
    path = next(real_data.glob("dodh_scorer1_*.json"))
    runs = read_json_epochs(path)
    assert len(runs) == 1192
    assert [int(run.label) for run in runs] == json.loads(path.read_text())

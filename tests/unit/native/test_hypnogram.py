"""Each dialect of hypnograms against files written by hand, by edfio, and the three real Profusion files."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime

import numpy as np
import pytest
from edfio import Edf, EdfAnnotation, EdfSignal
from hypothesis import given
from hypothesis import strategies as st

from hypnoflow.errors import RecordingError
from hypnoflow.native.annotations._labels import COMMON, common_label
from hypnoflow.native.annotations.hypnogram import from_marks, read_hypnogram
from hypnoflow.native.annotations.profusion import read_profusion
from hypnoflow.types import StageRun

ABC = [(0, 30, "W"), (30, 30, "N2"), (60, 30, "R")]  # what most files below say


def read(folder, name, text, **options):
    path = folder / name
    path.write_text(text)
    return read_hypnogram(path, **options)


def runs(hypnogram, scorer="expert"):
    return [(run.onset_s, run.duration_s, run.label) for run in hypnogram.annotations.scorers[scorer]]


def refused(folder, text, name="night.txt", **options):
    with pytest.raises(RecordingError) as caught:
        read(folder, name, text, **options)
    return str(caught.value)


# --- Profusion XML -------------------------------------------------------------------------------------------

PROFUSION = """<?xml version="1.0" encoding="utf-8"?><CMPStudyConfig><EpochLength>{epoch}</EpochLength>
<ScoredEventSettings><ScoredEventSetting><Name>RERA</Name></ScoredEventSetting></ScoredEventSettings>
<ScoredEvents>{events}</ScoredEvents><SleepStages>{stages}</SleepStages></CMPStudyConfig>"""


def profusion(stages="", events="", epoch="30"):
    body = "".join(f"<SleepStage>{stage}</SleepStage>" for stage in stages.split())
    return PROFUSION.format(stages=body, events=events, epoch=epoch)


@pytest.mark.parametrize(
    ("number", "stages", "n_events"),
    [
        (1, {"W": 477, "N1": 109, "N2": 523, "N3": 16 + 1, "R": 238}, 905),
        (2, {"W": 480, "N1": 11, "N2": 399, "N3": 185, "R": 120}, 257),
        (3, {"W": 916, "N1": 52, "N2": 375, "N3": 21}, 1005),
    ],
)
def test_the_real_profusion_files_give_their_stages_and_events(real_data, number, stages, n_events):
    found = read_hypnogram(real_data / f"learn-nsrr0{number}-profusion.xml")
    assert found.dialect == "Profusion XML"
    assert Counter(run.label for run in found.annotations.scorers["expert"]) == stages
    assert len(found.annotations.events) == n_events


def test_the_first_real_profusion_file_has_its_kinds_of_events(real_data):
    events = read_profusion(real_data / "learn-nsrr01-profusion.xml").events
    assert Counter(e.kind for e in events) == {
        "hypopnea": 361, "desaturation": 254, "arousal": 194, "other": 59, "apnea_obstructive": 37
    }  # fmt: skip
    assert {e.source for e in events if e.kind == "other"} == {"SpO2 artifact"}


def test_a_desaturation_is_read_by_tag_although_its_numbers_come_first(tmp_path):
    event = (
        "<ScoredEvent><LowestSpO2>88</LowestSpO2><Desaturation>5</Desaturation><Name>SpO2 desaturation</Name>"
        "<Start>61.5</Start><Duration>20</Duration><Input>SaO2</Input></ScoredEvent>"
    )
    (found,) = read(tmp_path, "a.xml", profusion("0", event)).annotations.events
    assert (found.onset_s, found.duration_s, found.kind, found.channel) == (61.5, 20, "desaturation", "SaO2")


def test_every_profusion_stage_number_has_its_meaning(tmp_path):
    found = read(tmp_path, "a.xml", profusion("0 1 2 3 4 5 6 9"))
    expected = ["W", "N1", "N2", "N3", "N3", "R", "unscored", "unscored"]
    assert [label for _, _, label in runs(found)] == expected
    assert [onset for onset, _, _ in runs(found)] == [30 * i for i in range(8)]


def test_profusion_epochs_of_20_s_are_20_s_long(tmp_path):
    assert runs(read(tmp_path, "a.xml", profusion("0 2", epoch="20"))) == [(0, 20, "W"), (20, 20, "N2")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Arousal (ASDA)", "arousal"),
        ("RERA", "rera"),
        ("Obstructive Apnea", "apnea_obstructive"),
        ("Central Apnea", "apnea_central"),
        ("Mixed Apnea", "apnea_mixed"),
        ("Central Hypopnea", "hypopnea"),
        ("Unsure", "hypopnea"),
        ("PLM (Left)", "limb_movement"),
        ("Limb Movement (Right)", "limb_movement"),
        ("Periodic Breathing", "other"),
    ],
)
def test_profusion_events_get_their_kind(tmp_path, name, kind):
    event = f"<ScoredEvent><Name>{name}</Name><Start>1</Start><Duration>2</Duration></ScoredEvent>"
    (found,) = read(tmp_path, "a.xml", profusion("0", event)).annotations.events
    assert (found.kind, found.source) == (kind, name)


def test_unknown_profusion_numbers_stay_for_the_stage_map_to_refuse(tmp_path):
    assert "numbers (7)" in refused(tmp_path, profusion("0 7"), "a.xml")


@pytest.mark.parametrize("epoch", ["", "0", "thirty"])
def test_profusion_without_a_length_of_epochs_is_refused(tmp_path, epoch):
    assert "EpochLength" in refused(tmp_path, profusion("0 1", epoch=epoch), "a.xml")


def test_other_xml_is_refused_with_the_known_roots(tmp_path):
    text = refused(tmp_path, "<Scoring><Stage/></Scoring>", "a.xml")
    assert all(word in text for word in ("<Scoring>", "PSGAnnotation", "CMPStudyConfig"))


def test_an_xml_bomb_is_refused(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><CMPStudyConfig><EpochLength>&a;</EpochLength></CMPStudyConfig>'
    assert "XML" in refused(tmp_path, bomb, "a.xml")


def test_nsrr_xml_is_told_apart_by_its_root(tmp_path):
    event = (
        "<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>REM sleep|5</EventConcept>"
        "<Start>0</Start><Duration>90</Duration></ScoredEvent>"
    )
    found = read(tmp_path, "a.xml", f"<PSGAnnotation><ScoredEvents>{event}</ScoredEvents></PSGAnnotation>")
    assert (found.dialect, runs(found)) == ("NSRR XML", [(0, 90, "R")])


# --- one stage per line --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "W\nN2\nR\n",
        "\ufeffW\r\nN2\r\nR\r\n\r\n",
        "# scored by A. B.\nWake\nStage 2\nREM\n",
        "stage\nwake\nn2\nrem\n",
        "epoch,stage\n1,W\n2,N2\n3,REM\n",
        "epoch;stage\n0;W\n1;S2\n2;R\n",
        "1\tSleep stage W\n2\tSleep stage N2\n3\tSleep stage R\n",
        "SLEEP-S0\nSLEEP-S2\nSLEEP-REM\n",
    ],
)
def test_one_stage_per_line_begins_with_the_signals(tmp_path, text):
    found = read(tmp_path, "night.csv", text)
    assert (found.dialect, runs(found)) == ("one stage per line", ABC)


def test_epochs_that_a_table_leaves_out_stay_without_a_stage(tmp_path):
    assert runs(read(tmp_path, "a.csv", "epoch,stage\n2,W\n5,R\n")) == [(30, 30, "W"), (120, 30, "R")]


def test_a_json_list_of_stages_is_one_per_epoch(tmp_path):
    assert runs(read(tmp_path, "a.json", json.dumps(["W", "N2", "R"]))) == ABC


def test_bare_numbers_are_refused_and_the_codings_that_fit_are_named(tmp_path):
    text = refused(tmp_path, "0\n1\n2\n3\n5\n")
    assert "0, 1, 2, 3, 5" in text
    assert "NSRR" in text and "St. Vincent" in text and "Dreem" not in text  # 5 is no Dreem code
    assert "stages" in text.splitlines()[-1]


def test_bare_numbers_of_no_known_coding_are_refused_all_the_same(tmp_path):
    assert "these would fit" not in refused(tmp_path, "0\n77\n")


@pytest.mark.parametrize("text", ["0\n2\n5\n", "0.0\n2.0\n5.0\n", "[0, 2, 5]"])
def test_bare_numbers_are_taken_as_the_config_maps_them(tmp_path, text):
    found = read(tmp_path, "a.txt", text, own=("0", "2", "5"))
    assert runs(found) == [(0, 30, "0"), (30, 30, "2"), (60, 30, "5")]


def test_an_own_label_is_kept_where_the_common_one_would_differ(tmp_path):
    assert [r[2] for r in runs(read(tmp_path, "a.txt", "N3\nS3\nW\n", own=("S3",)))] == ["N3", "S3", "W"]


# --- tables with times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "onset\tduration\tstage\n0\t30\tWake\n30\t30\tN2\n60\t30\tREM\n",
        "onset_s,duration_s,stage\n0,30,W\n30,30,N2\n60,30,R\n",
        "Start (s);End (s);Sleep stage\n0;30;W\n30;60;N2\n60;90;R\n",
        "onset,stage\n0,W\n30,N2\n60,R\n",
        "onset,duration,stage\n0,n/a,W\n30,,N2\n60,30,R\n",
        "stage,onset,duration\nR,60,30\nW,0,30\nN2,30,30\n",
    ],
)
def test_a_table_with_onsets_is_read_by_its_column_names(tmp_path, text):
    found = read(tmp_path, "a.tsv", text)
    assert (found.dialect, runs(found)) == ("table of stages", ABC)


def test_clock_times_count_from_the_start_of_the_signals_and_pass_midnight(tmp_path):
    text = "start,end,stage\n23:59:30,00:00:00,W\n00:00:00,00:00:30,N2\n00:00:30,00:01:00,R\n"
    assert runs(read(tmp_path, "a.csv", text, start=datetime(2020, 1, 1, 23, 59, 30))) == ABC


def test_clock_times_without_a_start_of_the_signals_are_refused(tmp_path):
    assert "does not know when it starts" in refused(tmp_path, "onset,duration,stage\n23:00:00,30,W\n")


def test_events_between_the_stages_are_events(tmp_path):
    text = "onset\tduration\ttrial_type\n0\t60\tsleep_stage_N2\n12\t4\tarousal\n60\t30\tSleep stage W\n70\t1\tblink\n"
    found = read(tmp_path, "events.tsv", text)
    assert runs(found) == [(0, 60, "N2"), (60, 30, "W")]
    assert [(e.onset_s, e.kind, e.source) for e in found.annotations.events] == [
        (12, "arousal", "arousal"),
        (70, "other", "blink"),
    ]


def test_each_scorer_of_a_table_has_a_hypnogram(tmp_path):
    text = "onset\tduration\tstage\tscorer\n0\t30\tW\tA\n0\t30\tN1\tB\n30\t30\tN2\tA\n30\t30\tN2\tB\n"
    found = read(tmp_path, "events.tsv", text)
    assert runs(found, "A") == [(0, 30, "W"), (30, 30, "N2")]
    assert runs(found, "B") == [(0, 30, "N1"), (30, 30, "N2")]


def test_ids_are_runs_without_a_header(tmp_path):
    found = read(tmp_path, "hypnogram.ids", "0,900,W\n900,60,N1\n960,1200,N2\n")
    assert (found.dialect, runs(found)) == ("ids", [(0, 900, "W"), (900, 60, "N1"), (960, 1200, "N2")])


@pytest.mark.parametrize("text", ["a,b,c,d\n1,2,3,4\n", "W,N1\nW,N1\n", "Dear colleague\nthe night was quiet\n"])
def test_text_of_no_known_kind_is_refused_with_what_to_write(tmp_path, text):
    assert "one stage per line" in refused(tmp_path, text)


@pytest.mark.parametrize("text", ["W\n\nR\n", "stage\nW\n  \nR\n"])
def test_a_blank_line_between_stages_is_refused_since_it_may_be_an_epoch(tmp_path, text):
    assert "is blank" in refused(tmp_path, text)


def test_a_line_that_breaks_off_is_refused(tmp_path):
    assert "['30'] has no stage" in refused(tmp_path, "onset,duration,stage\n0,30,W\n30\n")


@pytest.mark.parametrize("row", ["nan,30,W", "0,inf,W", "0,-30,W", "now,30,W"])
def test_an_impossible_time_is_refused(tmp_path, row):
    assert refused(tmp_path, f"onset,duration,stage\n{row}\n")


def test_an_empty_file_is_refused(tmp_path):
    assert "empty" in refused(tmp_path, "\n\n")


def test_binary_rubbish_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"W\x00\x01\x02N2")
    with pytest.raises(RecordingError, match="not a text file"):
        read_hypnogram(tmp_path / "a.txt")


# --- Luna ----------------------------------------------------------------------------------------------------

LUNA_HEAD = "class\tinstance\tchannel\tstart\tstop\tmeta\n"


@pytest.mark.parametrize(
    "text",
    [
        LUNA_HEAD + "W\t.\t.\t0\t30\t.\nN2\t.\t.\t30\t60\t.\nR\t.\t.\t60\t90\t.\n",
        "# N1 | stage\nW\t.\t.\t0\t+30\t.\nN2\t.\t.\t30\t...\t.\nR\t.\t.\t60\t90\t.\n",
        LUNA_HEAD + "sleep_stage\tW\t.\t0\t30\t.\nsleep_stage\tN2\t.\t30\t60\t.\nsleep_stage\tR\t.\t60\t90\t.\n",
        "W\t22:00:00\t22:00:30\nN2\t22:00:30\t22:01:00\nR\t22:01:00\t22:01:30\n",
        "W\te:1\te:1\nN2\te:2\te:2\nR\te:3\te:3\n",
        "W\t.\t0+00:00:00\t0+00:00:30\nN2\t.\t0+00:00:30\t0+00:01:00\nR\t.\t0+00:01:00\t0+00:01:30\n",
        "W\t10:00:00 pm\t+30\nN2\t10:00:30 pm\t+30\nR\t10:01:00 pm\t+30\n",
    ],
)
def test_each_form_of_luna_annotations_is_read(tmp_path, text):
    found = read(tmp_path, "night.annot", text, start=datetime(2020, 1, 1, 22))
    assert (found.dialect, runs(found)) == ("Luna .annot", ABC)


def test_other_luna_classes_are_events_and_the_question_mark_is_unscored(tmp_path):
    text = LUNA_HEAD + "?\t.\t.\t0\t30\t.\nN2\t.\t.\t30\t60\t.\napnea_central\t.\tNasal\t31.5\t44\tnote=x\n"
    found = read(tmp_path, "night.annot", text)
    assert runs(found) == [(0, 30, "unscored"), (30, 30, "N2")]
    (event,) = found.annotations.events
    assert (event.onset_s, event.duration_s, event.kind, event.channel) == (31.5, 12.5, "apnea_central", "Nasal")


def test_an_unreadable_luna_time_is_named(tmp_path):
    assert "'soon' is no time" in refused(tmp_path, LUNA_HEAD + "W\t.\t.\tsoon\t30\t.\n", "a.annot")


# --- EDF+ ----------------------------------------------------------------------------------------------------


def write_edf_plus(path, marks, **header):
    annotations = [EdfAnnotation(onset, duration, text) for onset, duration, text in marks]
    Edf([EdfSignal(np.zeros(120), 1, label="x")], annotations=annotations, **header).write(path)


def test_edf_plus_annotations_are_stages_and_events(tmp_path):
    marks = [(0, 30, "Sleep stage W"), (30, 30, "Sleep stage N2"), (60, 30, "Sleep stage R"), (65, 5, "Arousal")]
    write_edf_plus(tmp_path / "a.edf", [*marks, (0, None, "Lights off")])
    found = read_hypnogram(tmp_path / "a.edf")
    assert (found.dialect, runs(found)) == ("EDF+", ABC)
    assert {(e.onset_s, e.kind) for e in found.annotations.events} == {(65, "arousal"), (0, "other")}


def test_the_real_sleep_edf_hypnogram_gives_its_first_and_last_stage(real_data):
    found = runs(read_hypnogram(real_data / "SC4001EC-Hypnogram.edf"))
    assert (len(found), found[0], found[-1]) == (154, (0, 30630, "W"), (79500, 6900, "unscored"))


def test_stages_marked_without_a_duration_hold_until_the_next():
    marks = [StageRun(0, 0, "Sleep stage W"), StageRun(90, 0, "Sleep stage N1"), StageRun(120, 0, "Sleep stage N2")]
    held = from_marks(marks, ()).scorers["expert"]
    assert [(r.onset_s, r.duration_s, r.label) for r in held] == [(0, 90, "W"), (90, 30, "N1"), (120, 30, "N2")]


def test_an_unknown_stage_among_marks_stays_a_stage_for_the_map_to_refuse():
    assert [r.label for r in from_marks([StageRun(0, 30, "Sleep stage X")], ()).scorers["expert"]] == ["Sleep stage X"]


def test_marks_without_a_stage_make_no_hypnogram():
    found = from_marks([StageRun(3, 0, "Lights off"), StageRun(4, 2, "Hypopnea")], ())
    assert (found.scorers, [e.kind for e in found.events]) == ({}, ["other", "hypopnea"])


def test_another_start_than_that_of_the_signals_is_said(tmp_path):
    write_edf_plus(tmp_path / "a.edf", [(0, 30, "Sleep stage W")], recording=None)
    found = read_hypnogram(tmp_path / "a.edf", start=datetime(2020, 1, 1, 22))
    assert "2020-01-01 22:00:00" in found.annotations.warnings[0]


# --- labels --------------------------------------------------------------------------------------------------


def test_the_common_names_mean_themselves_and_bare_numbers_mean_nothing():
    assert {name: common_label(name, ()) for name in COMMON} == {name: name for name in COMMON}
    assert [common_label(number, ()) for number in ("0", "1", "5", "-1")] == ["0", "1", "5", "-1"]


def test_an_unknown_word_stays_as_it_is():
    assert [common_label(word, ()) for word in ("Drowsy", "N2/N3", "L")] == ["Drowsy", "N2/N3", "L"]


WORDS = (
    *("W", "N2", "REM", "0", "5", "30", "-1", "nan", "inf", "1e400", "e:1", "22:00:00", "...", "+30", "n/a", "?", "#"),
    *("onset", "stage", "duration", "stop", "epoch", "class", "x"),
)
PIECES = st.sampled_from([*WORDS, *'\t\t,;\n\n "[<>'])


@given(st.lists(PIECES, max_size=25))
def test_any_text_is_read_or_refused_with_a_message(tmp_path_factory, pieces):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text("".join(pieces))
    try:
        found = read_hypnogram(path)
    except RecordingError as error:
        assert error.what
    else:
        runs = [run for each in found.annotations.scorers.values() for run in each]
        assert all(np.isfinite(run.onset_s) and 0 <= run.duration_s < np.inf for run in runs)

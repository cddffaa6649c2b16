"""Folders and tables as people have them: links, copies a server made, old versions, odd encodings, empty cells."""

from __future__ import annotations

import zipfile

import numpy as np
import openpyxl
import pytest

from hypnoflow.channels.derive import pick_by_rules
from hypnoflow.cohorts import cohorts
from hypnoflow.cohorts.layouts.fixes import KINDS, all_fixes, fixes
from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.cohorts.layouts.tables import files_below, newest, read_csv_rows, read_sheet, read_sheet_rows
from hypnoflow.errors import CohortError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def found(cohort, root):
    return {f.recording: f for f in cohorts.get(cohort).discover(root)}


# --- files ---------------------------------------------------------------------------------------------------

FIRST_FILE = {
    "dodh": "aa.h5",
    "isruc-sg1": "1/1.rec",
    "isruc-sg2": "1/2/2.rec",
    "shhs": "edfs/shhs1/shhs1-200001.edf",
    "sedf-sc": "SC4001E0-PSG.edf",
    "mass-c1": "01-01-0001 PSG.edf",
    "svuh": "ucddb002.rec",
    "dcsm": "tp1/psg.h5",
    "phys": "training/tr03-0005/tr03-0005.hea",
}


@pytest.mark.parametrize("cohort", FIRST_FILE)
def test_copies_in_hidden_files_and_folders_are_no_recordings(cohort, tmp_path):
    path = FIRST_FILE[cohort]
    folder, _, name = path.rpartition("/")
    touch(tmp_path, path, f"{folder or '.'}/._{name}", f".snapshot/{path}")
    assert [f.signal_path for f in found(cohort, tmp_path).values()] == [path]


def test_folders_that_are_links_are_entered_once(tmp_path):
    touch(tmp_path, "disk/shhs1/shhs1-200001.edf")
    root = tmp_path / "shhs"
    root.mkdir()
    (root / "edfs").symlink_to(tmp_path / "disk", target_is_directory=True)
    (tmp_path / "disk" / "loop").symlink_to(root, target_is_directory=True)
    (root / "same").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert [str(path.relative_to(root)) for path in files_below(root, "*.edf")] == ["edfs/shhs1/shhs1-200001.edf"]


def test_the_newest_table_is_the_highest_version_not_the_last_in_the_alphabet(tmp_path):
    touch(tmp_path, *(f"datasets/shhs-harmonized-dataset-0.{k}.0.csv" for k in (9, 14, 2)))
    path = newest(tmp_path, "shhs-harmonized-dataset*.csv")
    assert path is not None
    assert path.name == "shhs-harmonized-dataset-0.14.0.csv"


# --- tables --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_csv_is_read_in_each_encoding_that_exporters_use(encoding, tmp_path):
    write(tmp_path / "t.csv", "nsrrid,note\n7,\u201ccaf\u00e9\u201d\n", encoding)
    assert read_csv_rows(tmp_path / "t.csv", ("nsrrid",)) == [{"nsrrid": "7", "note": "\u201ccaf\u00e9\u201d"}]


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["isruc_Details_subgroup_II_Submission.xlsx", "ucddb_SubjectDetails.xls"])
def test_a_workbook_that_was_cut_off_is_told_by_name(name, keep, real_data, tmp_path):
    whole = (real_data / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(CohortError, match=f"cannot read .*{name}"):
        read_sheet(path)


def rewrite(path, part, change):
    """Change one part of a workbook's archive."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w") as book:
        for name, data in parts.items():
            book.writestr(name, data)


@pytest.fixture
def workbook(tmp_path):
    book = openpyxl.Workbook()
    for row in (["Epoch", "Stage", "Events"], [1, "W", None], [2, "N1", "AR"]):
        book.active.append(row)
    book.save(tmp_path / "1_1.xlsx")
    return tmp_path / "1_1.xlsx"


def test_a_workbook_with_damaged_xml_is_told_by_name(workbook):
    rewrite(workbook, "xl/workbook.xml", lambda data: data[:-40])
    with pytest.raises(CohortError, match="cannot read .*1_1.xlsx"):
        read_sheet(workbook)


def test_a_sheet_that_understates_its_size_is_read_whole(workbook):
    rewrite(workbook, "xl/worksheets/sheet1.xml", lambda data: data.replace(b'ref="A1:C3"', b'ref="A1:A1"'))
    assert read_sheet(workbook)[2] == [2, "N1", "AR"]


def test_every_line_of_a_sheet_has_all_columns_though_cells_are_empty(workbook):
    book = openpyxl.load_workbook(workbook)
    book.active.cell(7, 2, " ")
    book.save(workbook)
    assert read_sheet(workbook)[3:] == [[None] * 3] * 3 + [[None, " ", None]]
    assert [row["Epoch"] for row in read_sheet_rows(workbook, ("Epoch",))] == [1, 2, None, None, None, None]


# --- chat: who was not randomized ----------------------------------------------------------------------------


def test_chat_children_who_were_not_randomized_come_from_their_own_table(tmp_path):
    touch(tmp_path, "edfs/baseline/chat-baseline-300001.edf", "edfs/followup/chat-followup-300001.edf")
    touch(tmp_path, *(f"edfs/nonrandomized/chat-baseline-nonrandomized-30000{k}.edf" for k in (3, 4)))
    write(
        tmp_path / "datasets/chat-harmonized-dataset-0.14.0.csv",
        "nsrrid,vnum,nsrr_age,nsrr_sex,nsrr_ahi_hp3r_aasm07\n300001,3,7,male,4.5\n300001,10,7.6,male,1\n",
    )
    write(
        tmp_path / "datasets/chat-nonrandomized-dataset-0.14.0.csv",
        "nsrrid,omahi3,ref9,age_nr\n300003,9,2,6.5\n300004,,,\n",
    )
    nights = found("chat", tmp_path)
    assert {name: (f.age_y, f.sex, f.ahi_per_h) for name, f in nights.items()} == {
        "chat-baseline-300001": (7, "male", 4.5),
        "chat-followup-300001": (7.6, "male", 1),
        "chat-baseline-nonrandomized-300003": (6.5, "female", None),
        "chat-baseline-nonrandomized-300004": (None, None, None),
    }


# --- channels ------------------------------------------------------------------------------------------------


def test_hpap_a_single_chin_electrode_is_not_subtracted_from_itself():
    picks = pick_by_rules(cohorts.get("hpap").channels, ["F4-M1", "RCHIN"])
    assert [pick.label for pick in picks] == ["F4-M1"]


@pytest.mark.parametrize("cohort", cohorts.names())
def test_no_rule_makes_a_channel_of_one_signal_twice(cohort):
    rules = cohorts.get(cohort).channels
    every = {label for rule in rules for label in (*rule.plus, *rule.minus)}
    for label in every:
        assert all(pick.minus != pick.plus for pick in pick_by_rules(rules, [label]))


# --- lengths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cohort", ["abc", "ccshs", "cfs", "chat", "hpap", "mesa", "mros", "shhs", "sof"])
def test_nsrr_scoring_may_stop_half_a_night_before_the_signals(cohort):
    from hypnoflow.harmonize.stages import to_epochs
    from hypnoflow.types import StageRun

    rules = cohorts.get(cohort)
    stage, excess_s = to_epochs([StageRun(0, 5 * 3600, "Wake|0")], rules.stages, rules.alignment, 10 * 3600)
    assert excess_s == -5 * 3600
    assert np.flatnonzero(stage == 9).tolist() == list(range(600, 1200))


# --- corrections ---------------------------------------------------------------------------------------------


def test_every_correction_names_a_recording_that_its_cohort_could_find(tmp_path):
    for fix in all_fixes():
        assert fix.fix in KINDS
        assert fix.reason
        assert bool(fix.value) == (fix.fix == "leave_out")
        touch(tmp_path, f"{fix.cohort}/edfs/{fix.recording}.edf")
    for cohort in {fix.cohort for fix in all_fixes()}:
        assert set(found(cohort, tmp_path / cohort)) == {fix.recording for fix in fixes(cohort)}


def test_a_correction_reaches_the_manifest_and_the_list_of_problems(tmp_path):
    names = ("mros-visit1-aa1367", "mros-visit2-aa2033", "mros-visit1-aa0001")
    touch(tmp_path, *(f"edfs/{name}.edf" for name in names))
    manifest, problems = index_cohort("mros", tmp_path, 50)
    rows = manifest.set_index("recording")
    assert {name: (bool(rows["excluded"][name]), bool(rows["staged"][name])) for name in names} == {
        "mros-visit1-aa1367": (True, True),  # missing from the published lists
        "mros-visit2-aa2033": (False, False),  # known for bad staging
        "mros-visit1-aa0001": (False, True),
    }
    assert any(problem.startswith("mros-visit2-aa2033: no_staging: ") for problem in problems)

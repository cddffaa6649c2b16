"""What each cohort finds in a hand-made folder, and how an index is made of it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import wfdb
import xlwt

from hypnoflow.cohorts import cohorts
from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.errors import CohortError

SHHS_COLUMNS = ("nsrrid", "visitnumber", "nsrr_age", "nsrr_sex", "nsrr_bmi", "nsrr_ahi_hp3r_aasm15", "nsrr_flag_spsw")


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(cohort, root):
    return {f.recording: f for f in cohorts.get(cohort).discover(root)}


# --- sedf-sc -------------------------------------------------------------------------------------------------


def write_subjects(root, rows):
    """Write SC-subjects.xls; `rows` are (subject, night, age, sex code, lights off)."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("SC_subjects")
    for line, row in enumerate([("subject", "night", "age", "sex (F=1)", "LightsOff"), *rows]):
        for column, cell in enumerate(row):
            sheet.write(line, column, cell)
    book.save(str(root / "SC-subjects.xls"))


@pytest.fixture
def sedf(tmp_path):
    folder = "sleep-cassette/"
    touch(tmp_path, f"{folder}SC4001E0-PSG.edf", f"{folder}SC4001EC-Hypnogram.edf")
    touch(tmp_path, f"{folder}SC4002E0-PSG.edf", f"{folder}SC4002EM-Hypnogram.edf")
    touch(tmp_path, f"{folder}SC4362F0-PSG.edf", f"{folder}SC4411G0-PSG.edf", f"{folder}SC4411GA-Hypnogram.edf")
    write_subjects(tmp_path, [(0, 1, 33, 1, 0.03), (0, 2, 33, 1, 0.9), (36, 2, 55, 2, 0.95)])
    return tmp_path


def test_sedf_pairs_by_the_first_six_characters(sedf):
    nights = found("sedf-sc", sedf)
    assert {name: f.annotation_paths for name, f in nights.items()} == {
        "SC4001": ("sleep-cassette/SC4001EC-Hypnogram.edf",),
        "SC4002": ("sleep-cassette/SC4002EM-Hypnogram.edf",),
        "SC4362": (),
        "SC4411": ("sleep-cassette/SC4411GA-Hypnogram.edf",),
    }
    assert nights["SC4362"].signal_path == "sleep-cassette/SC4362F0-PSG.edf"


def test_sedf_two_nights_share_a_person(sedf):
    nights = found("sedf-sc", sedf)
    assert nights["SC4001"].person == nights["SC4002"].person != nights["SC4362"].person
    assert (nights["SC4001"].visit, nights["SC4002"].visit) == ("1", "2")


def test_sedf_codes_sex_one_for_female_and_two_for_male(sedf):
    nights = found("sedf-sc", sedf)
    assert [nights[n].sex for n in ("SC4001", "SC4002", "SC4362")] == ["female", "female", "male"]
    assert [nights[n].age_y for n in ("SC4001", "SC4362")] == [33, 55]


def test_sedf_a_person_without_a_row_is_kept_and_said(sedf):
    night = found("sedf-sc", sedf)["SC4411"]
    assert (night.age_y, night.sex, len(night.problems)) == (None, None, 1)
    assert "SC-subjects.xls" in night.problems[0]
    assert found("sedf-sc", sedf)["SC4001"].problems == ()


def test_sedf_reads_the_real_table(tmp_path, real_data):
    (tmp_path / "SC-subjects.xls").symlink_to(real_data / "sedf_SC-subjects.xls")
    with (real_data / "mne_sleep_physionet_age_records.csv").open() as stream:
        psgs = {row["fname"][:6]: row for row in csv.DictReader(stream) if row["record type"] == "PSG"}
    touch(tmp_path, *(row["fname"] for row in psgs.values()))
    nights = found("sedf-sc", tmp_path)
    assert len(nights) == 153
    assert len({f.person for f in nights.values()}) == 78
    assert {name: (f.age_y, f.sex) for name, f in nights.items()} == {
        name: (float(row["age"]), row["sex"]) for name, row in psgs.items()
    }
    assert [f.problems for f in nights.values() if f.problems] == []


# --- shhs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shhs(tmp_path):
    psg = "polysomnography/"
    for visit, person in ((1, 200001), (2, 200001), (1, 200002), (1, 200003), (1, 200004)):
        stem = f"shhs{visit}-{person}"
        touch(tmp_path, f"{psg}edfs/shhs{visit}/{stem}.edf")
        if person != 200003:
            touch(tmp_path, f"{psg}annotations-events-nsrr/shhs{visit}/{stem}-nsrr.xml")
    rows = [
        (200001, 1, 55.0, "male", 30.5, 12.25, "full scoring"),
        (200001, 2, 60.0, "male", 31.0, 20.0, "full scoring"),
        (200002, 1, 70.0, "female", "", "", "sleep/wake only"),
        (200003, 1, 90.0, "not reported", 25.0, 0.0, "full scoring"),
    ]
    path = tmp_path / "datasets" / "shhs-harmonized-dataset-0.21.0.csv"
    path.parent.mkdir()
    with path.open("w", newline="", encoding="cp1252") as stream:
        csv.writer(stream).writerows([(*SHHS_COLUMNS, "caf\u00e9"), *((*row, "\u00e9") for row in rows)])
    return tmp_path


def test_shhs_pairs_each_edf_with_the_xml_of_its_visit(shhs):
    nights = found("shhs", shhs)
    xml = "polysomnography/annotations-events-nsrr"
    assert nights["shhs1-200001"].annotation_paths == (f"{xml}/shhs1/shhs1-200001-nsrr.xml",)
    assert nights["shhs2-200001"].annotation_paths == (f"{xml}/shhs2/shhs2-200001-nsrr.xml",)
    assert nights["shhs1-200003"].annotation_paths == ()


def test_shhs_a_second_visit_shares_the_person_and_has_its_own_row(shhs):
    nights = found("shhs", shhs)
    first, second = nights["shhs1-200001"], nights["shhs2-200001"]
    assert first.person == second.person
    assert (first.visit, second.visit) == ("1", "2")
    assert (first.age_y, second.age_y) == (55, 60)
    assert (first.ahi_per_h, second.ahi_per_h) == (12.25, 20)
    assert (first.sex, first.bmi) == ("male", 30.5)


def test_shhs_a_study_scored_sleep_and_wake_only_is_no_truth_for_stages(shhs):
    nights = found("shhs", shhs)
    night = nights["shhs1-200002"]
    assert not night.staged
    assert nights["shhs1-200004"].staged
    assert len(night.annotation_paths) == 1  # its respiratory events are as good as any
    assert any("sleep/wake only" in problem for problem in night.problems)


def test_shhs_empty_cells_and_unreported_sex_are_missing(shhs):
    nights = found("shhs", shhs)
    assert (nights["shhs1-200002"].bmi, nights["shhs1-200002"].ahi_per_h) == (None, None)
    assert nights["shhs1-200003"].sex is None


def test_shhs_a_person_without_a_row_is_kept_and_said(shhs):
    night = found("shhs", shhs)["shhs1-200004"]
    assert (night.age_y, night.sex, len(night.problems)) == (None, None, 1)
    assert len(night.annotation_paths) == 1


# --- phys ----------------------------------------------------------------------------------------------------

HEADER = "{name} 1 200 720000\n{name}.mat 16+24 50/uV 16 0 0 0 0 C3-M2\n"  # one hour


def write_phys(root, name, marks):
    """Write a header and, unless `marks` is None, its .arousal; `marks` are (time in s, note)."""
    folder = root / "training" / name
    folder.mkdir(parents=True)
    (folder / f"{name}.hea").write_text(HEADER.format(name=name))
    if marks is not None:
        sample, notes = np.array([200 * at for at, _ in marks]), [note for _, note in marks]
        symbols = ['"'] * len(marks)
        wfdb.wrann(name, "arousal", sample, symbol=symbols, aux_note=notes, fs=200, write_dir=str(folder))


def event(name, at):
    return [(at, f"({name}"), (at + 12, f"{name})")]


@pytest.fixture
def phys(tmp_path):
    # Wake from 600 s, 1200 s of N2, wake again, 600 s of R: half an hour of sleep.
    stages = [(600, "W"), (900, "N2"), (2100, "W"), (3000, "R")]
    events = [*event("resp_hypopnea", 1000), *event("resp_obstructiveapnea", 1100), *event("resp_centralapnea", 1200)]
    events += [*event("resp_partialobstructive", 1300), *event("resp_mixedapnea", 3100)]
    events += [*event("arousal_rera", 1400), *event("arousal_spontaneous", 1500), *event("resp_hypoventilation", 1600)]
    write_phys(tmp_path, "tr03-0005", sorted(stages + events))
    write_phys(tmp_path, "tr03-0012", [(600, "W")])
    write_phys(tmp_path, "tr04-0008", [(600, "N2"), (700, "resp_hypopnea)")])
    write_phys(tmp_path, "tr04-0010", None)
    (tmp_path / "age-sex.csv").write_text("Record,Age,Sex\ntr03-0005,55,F\ntr03-0012,61,m\ntr04-0008,NaN,M\n")
    return tmp_path


def test_phys_counts_apneas_and_hypopneas_per_hour_of_sleep(phys):
    assert found("phys", phys)["tr03-0005"].ahi_per_h == pytest.approx(5 / 0.5)


def test_phys_has_no_ahi_where_nobody_slept(phys):
    assert found("phys", phys)["tr03-0012"].ahi_per_h is None


def test_phys_reads_age_and_sex_in_either_case(phys):
    nights = found("phys", phys)
    assert (nights["tr03-0005"].age_y, nights["tr03-0005"].sex) == (55, "female")
    assert (nights["tr03-0012"].age_y, nights["tr03-0012"].sex) == (61, "male")


def test_phys_annotations_that_contradict_themselves_cost_the_ahi_and_are_said(phys):
    night = found("phys", phys)["tr04-0008"]
    assert night.ahi_per_h is None
    assert any("resp_hypopnea" in problem for problem in night.problems)


def test_phys_a_record_without_row_and_annotations_is_kept_and_said(phys):
    night = found("phys", phys)["tr04-0010"]
    assert (night.annotation_paths, night.age_y, night.sex) == ((), None, None)
    assert any("age-sex.csv" in problem for problem in night.problems)


def test_phys_annotations_without_a_stage_do_not_stop_the_index(phys):
    write_phys(phys, "tr05-0001", event("resp_hypopnea", 1000))
    assert found("phys", phys)["tr05-0001"].ahi_per_h is None


# --- dodh ----------------------------------------------------------------------------------------------------


def test_dodh_gathers_each_recordings_scorers_and_says_where_there_are_none(tmp_path):
    touch(tmp_path, "aa.h5", "bb.h5", *(f"scorers/dodh/scorer_{k}/aa.json" for k in (2, 1, 3)))
    nights = found("dodh", tmp_path)
    assert nights["aa"].annotation_paths == tuple(f"scorers/dodh/scorer_{k}/aa.json" for k in (1, 2, 3))
    assert nights["aa"].problems == ()
    assert nights["bb"].annotation_paths == ()
    assert len(nights["bb"].problems) == 1
    assert (nights["aa"].age_y, nights["aa"].sex, nights["aa"].ahi_per_h) == (None, None, None)


# --- the index -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cohort", cohorts.names())
def test_an_empty_folder_is_an_error_that_names_cohort_and_folder(cohort, tmp_path):
    with pytest.raises(CohortError, match=f"{cohort}: no recording found in {tmp_path}"):
        index_cohort(cohort, tmp_path, 50)


@pytest.mark.parametrize("cohort", cohorts.names())
def test_a_missing_folder_is_an_error_that_names_it(cohort, tmp_path):
    with pytest.raises(CohortError, match=f"{cohort}: no folder .*gone"):
        index_cohort(cohort, tmp_path / "gone", 50)


def test_recordings_are_cut_into_shards_in_order_of_name(tmp_path):
    touch(tmp_path, *(f"{name}.h5" for name in "gcafbed"))
    manifest, _ = index_cohort("dodh", tmp_path, 3)
    assert manifest["recording"].tolist() == list("abcdefg")
    assert manifest["shard"].iloc[0] == "000"
    assert manifest["shard"].value_counts().max() <= 3
    changes = (manifest["shard"] != manifest["shard"].shift()).sum()
    assert changes == manifest["shard"].nunique()


def test_problems_are_listed_with_their_recording(sedf):
    manifest, problems = index_cohort("sedf-sc", sedf, 50)
    assert len(manifest) == 4
    assert len(problems) == 1
    assert problems[0].startswith("SC4411: ")


def test_the_manifest_keeps_the_source_columns(sedf):
    manifest, _ = index_cohort("sedf-sc", sedf, 50)
    assert json.loads(manifest["source_columns"][2])["LightsOff"] == 0.95
    assert manifest["cohort"].unique().tolist() == ["sedf-sc"]


def test_only_a_marked_folder_is_simulated(sedf):
    assert not index_cohort("sedf-sc", sedf, 50)[0]["simulated"].any()
    touch(sedf, "SIMULATED.json")
    assert index_cohort("sedf-sc", sedf, 50)[0]["simulated"].all()

"""Which files of a folder are recordings, whose they are and where their hypnogram lies: names only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypnoflow.cohorts.layouts.configured import resolve
from hypnoflow.cohorts.layouts.folder import discover, find_hypnograms, recording_names
from hypnoflow.cohorts.layouts.persons import Persons, read_persons
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.errors import CohortError, ConfigError


def lay_out(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return root


def hypnogram_of(tmp_path, recording, *others):
    root = lay_out(tmp_path, recording, *others)
    found = find_hypnograms([root / recording], [root / name for name in others])
    return [str(path.relative_to(root)) for path in found.get(root / recording, [])]


@pytest.mark.parametrize(
    ("recording", "hypnogram"),
    [
        ("n1.edf", "n1.txt"),
        ("n1.edf", "n1-nsrr.xml"),
        ("n1.edf", "n1-profusion.xml"),
        ("n1.edf", "n1_scored_by_AB.xml"),
        ("n1.edf", "n1_hypnogram.csv"),
        ("n1.edf", "n1 Hypnogram.edf"),
        ("n1.edf", "n1_annotations.edf"),
        ("n1.edf", "N1.ANNOT"),
        ("n1.edf", "n1.ids"),
        ("n1-PSG.edf", "n1-stages.tsv"),
        ("SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf"),
        ("edfs/n1.edf", "scores/n1.annot"),
    ],
)
def test_a_hypnogram_is_found_by_the_name_of_its_recording(tmp_path, recording, hypnogram):
    assert hypnogram_of(tmp_path, recording, hypnogram) == [hypnogram]


@pytest.mark.parametrize(
    "other", ["n10.txt", "n2_hypnogram.csv", "n1.pdf", "participants.tsv", "SC4002EC-Hypnogram.edf"]
)
def test_a_file_of_another_name_is_not_taken(tmp_path, other):
    assert hypnogram_of(tmp_path, "n1.edf", other) == []


def test_the_same_folder_goes_before_another_and_nsrr_before_profusion(tmp_path):
    others = ("n1-profusion.xml", "n1-nsrr.xml", "old/n1_hypnogram.txt")
    assert hypnogram_of(tmp_path, "n1.edf", *others) == ["n1-nsrr.xml"]


def test_two_of_the_same_rank_are_both_named_and_the_first_is_taken(tmp_path):
    (found,) = discover(lay_out(tmp_path, "n1.edf", "n1_hypnogram.csv", "n1_hypnogram.txt"))
    assert found.annotation_paths == ("n1_hypnogram.csv",)
    assert any("n1_hypnogram.csv, n1_hypnogram.txt" in problem for problem in found.problems)


def test_every_known_format_is_found_at_any_depth_and_hidden_files_are_not(tmp_path):
    names = ["a.edf", "b/c.REC", "b/d.bdf", "e.vhdr", "f.set", "g.fif", "h.gdf"]
    root = lay_out(tmp_path, *names, ".hidden.edf", ".git/i.edf", "e.eeg", "readme.txt")
    assert sorted(f.signal_path for f in discover(root)) == sorted(names)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.edf", "b.edf"], ["a", "b"]),
        (["x/n.edf", "y/n.edf"], ["x_n", "y_n"]),
        (["n.edf", "n.set"], ["n.edf", "n.set"]),
        (["x/n.edf", "N.edf", "m.edf"], ["x_n", "N", "m"]),
    ],
)
def test_a_recording_has_a_name_of_its_own(paths, names):
    assert recording_names([Path(p) for p in paths]) == names


# --- persons -------------------------------------------------------------------------------------------------


def persons(folder, text, name="participants.tsv"):
    (folder / name).write_text(text)
    return read_persons(folder / name).rows


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("participant_id\tage\tsex\tAHI\tBMI\nP1\t43\tF\t12.5\t31\n", "participants.tsv"),
        ("Participant ID,Age (years),Gender,ahi,bmi [kg/m2]\nP1,43,female,12.5,31\n", "a.csv"),
        ("\ufeffsubject;AGE;Sex;AHI;BMI\nP1;43;f;12,5;31\n", "a.csv"),
    ],
)
def test_the_common_spellings_of_a_table_are_read(tmp_path, text, name):
    (person,) = persons(tmp_path, text, name)
    assert (person.person, person.age_y, person.sex, person.ahi_per_h, person.bmi) == ("P1", 43, "female", 12.5, 31)
    assert person.problems == ()


def test_missing_cells_are_unknown_without_complaint(tmp_path):
    (person,) = persons(tmp_path, "participant_id\tage\tsex\nP1\tn/a\tn/a\n")
    assert (person.age_y, person.sex, person.problems) == (None, None, ())


def test_a_sex_in_numbers_is_left_out_and_said(tmp_path):
    (person,) = persons(tmp_path, "participant_id\tsex\nP1\t1\n")
    assert person.sex is None
    assert "numbers mean different things" in person.problems[0]


@pytest.mark.parametrize("age", ["90+", "old", "430"])
def test_an_impossible_age_is_left_out_and_said(tmp_path, age):
    (person,) = persons(tmp_path, f"participant_id\tage\nP1\t{age}\n")
    assert person.age_y is None
    assert age in person.problems[0]


def test_a_table_that_names_nobody_is_refused_with_its_columns(tmp_path):
    with pytest.raises(CohortError, match=r"names neither participants .* it has code, age"):
        persons(tmp_path, "code\tage\n1\t30\n")


def test_a_row_about_the_recording_goes_before_one_about_the_person(tmp_path):
    rows = Persons(persons(tmp_path, "participant_id,file,age\nP1,n7.edf,40\nP10,,50\nP1,,60\n", "a.csv"))
    assert rows.about("n7", "sub/n7.edf").age_y == 40
    assert rows.about("P10_night2", "P10_night2.edf").age_y == 50
    assert rows.about("P1", "P1.edf").age_y == 60
    assert rows.about("P1x", "P1x.edf") is None


def test_two_nights_of_one_human_share_the_person_and_differ_in_visit(tmp_path):
    root = lay_out(tmp_path, "a.edf", "b.edf", "c.edf")
    (root / "participants.csv").write_text("recording,participant\na,Ann\nb.edf,Ann\n")
    found = discover(root)
    assert [(f.recording, f.person, f.visit) for f in found] == [("a", "Ann", "1"), ("b", "Ann", "2"), ("c", "c", "1")]
    assert [bool(f.problems) for f in found] == [False, False, True]


def test_a_named_table_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(CohortError, match=r"no table of participants at .*people\.csv"):
        discover(lay_out(tmp_path, "a.edf"), "people.csv")


# --- the config ----------------------------------------------------------------------------------------------


def test_a_channel_wish_that_names_no_signal_is_refused_before_anything_is_read():
    with pytest.raises(ConfigError, match="'Kanal 3' does not tell"):
        resolve("mylab", CohortConfig(kind="folder", root="/x", channels={"Kanal 3": ("a",)}))


@pytest.mark.parametrize("name", ["my lab", "a/b", ".x", ""])
def test_a_name_that_could_not_be_a_folder_is_refused(name):
    with pytest.raises(ConfigError, match="letters, digits"):
        resolve(name, CohortConfig(kind="folder", root="/x"))


def test_a_known_name_may_be_read_as_a_folder():
    assert resolve("shhs", CohortConfig(kind="folder", root="/x")).channels == ()
    assert resolve("shhs", CohortConfig()).channels != ()


def test_an_unknown_named_cohort_is_refused_with_the_closest():
    with pytest.raises(ConfigError, match="did you mean 'shhs'"):
        resolve("shsh", CohortConfig())


CELLS = st.sampled_from(["participant_id", "age", "sex", "P1", "30", "F", "1", "n/a", "\t", ",", ";", "\n", '"', " "])


@given(st.lists(CELLS, max_size=25))
def test_any_table_of_persons_is_read_or_refused_with_a_message(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    path.write_text("".join(cells))
    try:
        found = read_persons(path)
    except CohortError as error:
        assert str(path) in str(error)
    else:
        assert {p.sex for p in found.rows} <= {"female", None}

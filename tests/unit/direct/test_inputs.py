"""Files, folders and patterns: which recordings they are, and what their outputs are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.edf_bytes import Raw, Tals, edf_bytes

from hypnoflow.direct.inputs import find_inputs
from hypnoflow.errors import CohortError


@pytest.fixture
def nights(tmp_path):
    """A folder with one recording of the same name in each of two folders, and what else lies about."""
    content = edf_bytes([Raw([[0, 1]], "C3-M2")])
    for name in ("a/night.edf", "b/night.edf", "b/deep/other.EDF", "b/.hidden.edf"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "a" / "night-hypnogram.edf").write_bytes(edf_bytes([Tals(["+0"])], reserved="EDF+C"))
    posteriors = [Raw([[0, 1]], f"PP_{stage}") for stage in ("W", "N1", "N2", "N3", "R")]
    (tmp_path / "b" / "night.hypnodensity.edf").write_bytes(edf_bytes(posteriors))
    (tmp_path / "notes.txt").write_text("nothing")
    return tmp_path


def names(inputs):
    return [str(one.name) for one in inputs]


def test_a_folder_is_searched_to_the_ground_and_its_folders_are_kept(nights):
    inputs, problems = find_inputs([str(nights)])
    assert names(inputs) == ["a/night", "b/deep/other", "b/night"]
    assert problems == {}


def test_patterns_files_and_folders_go_together_and_nothing_is_scored_twice(nights):
    inputs, problems = find_inputs([f"{nights}/**/*.edf", str(nights / "a" / "night.edf"), str(nights / "b")])
    assert names(inputs) == ["a/night", "b/deep/other", "b/night"]
    assert problems == {}


def test_one_file_has_its_own_name(nights):
    inputs, _ = find_inputs([str(nights / "b" / "deep" / "other.EDF")])
    assert names(inputs) == ["other"]


def test_a_relative_path_is_the_same_recording_as_its_absolute_one(nights, monkeypatch):
    monkeypatch.chdir(nights)
    inputs, problems = find_inputs(["a/night.edf", str(nights / "a" / "night.edf"), "b/night.*"])
    assert names(inputs) == ["a/night", "b/night"]
    assert problems == {}


def test_names_that_differ_in_their_suffix_alone_keep_it(nights):
    (nights / "a" / "Night.bdf").write_bytes(b"")
    inputs, _ = find_inputs([str(nights / "a")])
    assert sorted(names(inputs)) == ["Night.bdf", "night.edf"]


def test_what_gives_no_recording_is_said_and_the_rest_goes_on(nights):
    (nights / "empty").mkdir()
    given = [f"{nights}/a/night.edf", f"{nights}/gone.edf", f"{nights}/notes.txt", f"{nights}/empty"]
    inputs, problems = find_inputs([*given, f"{nights}/*.rec", f"{nights}/*.txt"])
    assert names(inputs) == ["a/night"]
    said = {Path(path).name: problem for path, problem in problems.items()}
    assert said["gone.edf"] == "there is no such file"
    assert said["notes.txt"].startswith("no recording; known are .edf")
    assert said["empty"].startswith("no recording below it")
    assert said["*.rec"] == "nothing matches"
    assert said["*.txt"] == "no recording among what matches"


def test_nothing_at_all_is_an_error(tmp_path):
    with pytest.raises(CohortError, match="there is no .*gone.edf"):
        find_inputs([str(tmp_path / "gone.edf")])


def test_a_name_with_brackets_is_a_file_where_there_is_one(nights):
    (nights / "night[1].edf").write_bytes((nights / "a" / "night.edf").read_bytes())
    inputs, _ = find_inputs([str(nights / "night[1].edf")])
    assert names(inputs) == ["night[1]"]


def test_recordings_below_the_mark_of_a_simulated_cohort_are_known_as_such(nights):
    (nights / "b" / "SIMULATED.json").write_text("{}")
    inputs, _ = find_inputs([str(nights)])
    assert {str(one.name): one.simulated for one in inputs} == {"a/night": False, "b/night": True, "b/deep/other": True}

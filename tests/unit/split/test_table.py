"""A user's own split table, and what is refused in it."""

from __future__ import annotations

import pandas as pd
import pytest

from hypnoflow.config.section import parse_section
from hypnoflow.config.split import Split
from hypnoflow.errors import CohortError, ConfigError
from hypnoflow.split.splits import split_persons

ROWS = pd.DataFrame(
    [("a", "000", f"{p}{v}", p) for p in ("anna", "ben", "cleo") for v in (1, 2)] + [("b", "000", "x1", "anna")],
    columns=["cohort", "shard", "recording", "person"],
).assign(group=lambda rows: rows["person"])


def split(tmp_path, text: str, held_out=()) -> dict[str, str]:
    path = tmp_path / "split.csv"
    path.write_text(text)
    table = split_persons(ROWS, Split(kind="table", file=str(path)), held_out=held_out, seed=1)
    assert len(table) == len(ROWS)
    return dict(zip(table["cohort"] + "/" + table["recording"], table["split"], strict=True))


def test_persons_go_where_the_table_says_with_all_their_recordings(tmp_path):
    found = split(tmp_path, "cohort,person,split\na,anna,train\na, ben ,valid\na,cleo,test\n")
    assert found == {
        "a/anna1": "train", "a/anna2": "train", "a/ben1": "valid", "a/ben2": "valid", "a/cleo1": "test",
        "a/cleo2": "test", "b/x1": "unlisted",
    }  # fmt: skip


def test_recordings_can_be_named_one_by_one_and_the_rest_is_in_no_split(tmp_path, caplog):
    with caplog.at_level("INFO"):
        found = split(tmp_path, "split,cohort,recording\ntrain,a,anna1\nvalid,a,ben1\nheld_out,b,x1\n")
    assert {k: v for k, v in found.items() if v != "unlisted"} == {
        "a/anna1": "train", "a/ben1": "valid", "b/x1": "held_out"
    }  # fmt: skip
    assert "does not name 4 of 7 recordings" in caplog.text


def test_names_are_text_and_keep_their_zeros(tmp_path):
    rows = ROWS.assign(recording=[f"{i:03d}" for i in range(len(ROWS))])
    (tmp_path / "s.csv").write_text("cohort,recording,split\na,000,train\na,002,valid\n")
    table = split_persons(rows, Split(kind="table", file=str(tmp_path / "s.csv")), held_out=(), seed=1)
    assert table["split"].value_counts().to_dict() == {"unlisted": 5, "train": 1, "valid": 1}


def test_config_holds_a_cohort_out_whatever_the_table_says(tmp_path):
    text = "cohort,person,split\na,anna,train\na,ben,valid\nb,anna,train\n"
    assert split(tmp_path, text, held_out={"b"})["b/x1"] == "held_out"


def test_rows_that_name_nothing_are_said(tmp_path, caplog):
    split(tmp_path, "cohort,person,split\na,anna,train\na,ben,valid\na,bne,test\n")
    assert "1 rows name no person of the manifests: a/bne" in caplog.text


@pytest.mark.parametrize(
    "text, words",
    [
        ("cohort,person,split\na,anna,train\na,ben,vaild\n", "line 3: unknown split 'vaild'; did you mean 'valid'"),
        ("cohort,person,split\na,anna,train\na,anna,test\n", "lists person a/anna as train and as test"),
        ("cohort,person,split\na,anna,\n", "line 2: an empty cell"),
        ("cohort,person,recording,split\na,b,c,train\n", "must have the columns"),
        ("cohort,split\na,train\n", "must have the columns .* it has cohort, split"),
        ("", "cannot read .* as CSV"),
    ],
)
def test_faults_of_the_table_are_named(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        split(tmp_path, text)


def test_missing_table_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot read .*none.csv"):
        split_persons(ROWS, Split(kind="table", file=str(tmp_path / "none.csv")), held_out=(), seed=1)


@pytest.mark.parametrize(
    "text, words",
    [
        ("cohort,recording,split\na,anna1,train\na,anna2,valid\n", "person anna is in two splits .*anna1 in train"),
        ("cohort,person,split\na,anna,test\na,ben,valid\n", "no person is left for train: of 7 recordings .* 2 test"),
        ("cohort,person,split\na,anna,train\n", "no person is left for valid"),
        ("cohort,person,split\nA,anna,train\n", "names no person of the manifests: it has A/anna, they have a/anna"),
    ],
)
def test_splits_that_cannot_be_used_are_refused(tmp_path, text, words):
    with pytest.raises(CohortError, match=words):
        split(tmp_path, text)


def test_the_same_person_name_in_two_cohorts_is_two_persons(tmp_path):
    text = "cohort,person,split\na,anna,train\na,ben,valid\nb,anna,test\n"
    assert split(tmp_path, text)["b/x1"] == "test"


@pytest.mark.parametrize(
    "options, words",
    [
        ({"kind": "table"}, "kind table needs file"),
        ({"file": "x.csv"}, "kind ratio draws"),
        ({"kind": "x"}, "'usleep'"),
    ],
)
def test_kind_and_file_must_fit(options, words):
    with pytest.raises(ConfigError, match=words):
        parse_section(Split, options, "test")

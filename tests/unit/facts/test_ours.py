"""What is ours may be replaced and removed; what is anybody's stays, whatever stands where."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat

import pytest

from hypnoflow.errors import BusyError, OutputError
from hypnoflow.facts.claim import claim, forget, journal_of
from hypnoflow.facts.files import replacing, write_table
from hypnoflow.facts.ours import (
    check_apart,
    check_marked,
    check_store,
    foreign_in,
    plain_name,
    plain_path,
    put_in_place,
    remove_file,
    remove_folder,
    write_mark,
)
from hypnoflow.facts.provenance import write_facts
from hypnoflow.store.store_files import HARMONIZED, SCORES, start_store

MINE = b"what took me three years"


@pytest.fixture
def made(tmp_path):
    """Return a function that writes a table as a stage does, with its JSON."""

    def make(text, name="a.parquet"):
        out = tmp_path / name
        with claim(out.with_suffix(".json"), [out]) as mine:
            with replacing(out) as path:
                path.write_text(text)
            write_facts(mine.record, "split", {}, [out])
        return out

    return make


def test_what_a_stage_made_it_makes_again(made, tmp_path):
    made("first")
    assert made("second").read_text() == "second"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.parquet"]


def test_a_folder_to_work_in_goes_at_the_end_and_a_killed_runs_before_the_next(tmp_path):
    out, record = tmp_path / "a.parquet", tmp_path / "a.json"
    mine = tmp_path / ".a.parquet.0123456789abcdef.partial"  # called like one of ours
    mine.mkdir()
    (mine / "thesis.docx").write_bytes(MINE)
    pid = os.fork()
    if not pid:
        with claim(record, [out]) as made, made.scratch(out) as folder:
            (folder / "part").write_text("half")
            os._exit(0)
    os.waitpid(pid, 0)
    (left,) = (p for p in tmp_path.iterdir() if p.is_dir() and p != mine)
    with claim(record, [out]) as made, made.scratch(out) as folder:
        assert list(folder.iterdir()) == []
        assert not (left / "part").exists()
    assert list(tmp_path.iterdir()) == [mine]
    assert (mine / "thesis.docx").read_bytes() == MINE


@pytest.mark.parametrize("name", ["a.parquet", "a.json", ".a.json.ours"])
def test_a_users_file_under_any_name_of_ours_stays(made, tmp_path, name):
    (tmp_path / name).write_bytes(MINE)
    with pytest.raises(OutputError, match="nothing of it was touched"):
        made("ours")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {name: MINE}


def test_a_file_of_ours_that_was_edited_since_stays(made):
    out = made("ours")
    out.write_bytes(MINE)
    with pytest.raises(OutputError, match="was changed since"):
        made("again")
    assert out.read_bytes() == MINE


@pytest.mark.parametrize("name", ["a.parquet", "a.json", ".a.json.ours"])
def test_nothing_is_written_through_a_link(made, tmp_path, name):
    victim = tmp_path / "elsewhere" / "thesis.txt"
    victim.parent.mkdir()
    victim.write_bytes(MINE)
    (tmp_path / name).symlink_to(victim)
    with pytest.raises(OutputError):
        made("ours")
    assert victim.read_bytes() == MINE
    assert (tmp_path / name).is_symlink()


def test_temporary_names_cannot_be_foreseen_and_are_new(tmp_path):
    seen = set()
    for i in range(20):
        with replacing(tmp_path / f"{i % 2}{i}.txt") as path:
            assert path.stat().st_size == 0
            assert stat.S_ISREG(path.lstat().st_mode)
            seen.add(path.name.split(".")[-2])
            path.write_text("x")
    assert len(seen) == 20
    assert all(len(token) == 16 for token in seen)


def test_who_comes_between_keeps_the_place(tmp_path):
    out = tmp_path / "a.txt"
    with pytest.raises(OutputError), replacing(out) as path:
        path.write_text("ours")
        out.write_bytes(MINE)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert out.read_bytes() == MINE


def killed(out):
    """Be killed between two outputs."""
    with claim(out.with_suffix(".json"), [out]):
        with replacing(out) as path:
            path.write_text("half of it")
        os._exit(9)


def test_what_a_killed_process_left_is_known_as_ours(made, tmp_path):
    process = multiprocessing.get_context("fork").Process(target=killed, args=[tmp_path / "a.parquet"])
    process.start()
    process.join()
    assert process.exitcode == 9
    assert json.loads(journal_of(tmp_path / "a.json").read_text())["making"] == ["a.json", "a.parquet"]
    assert made("whole").read_text() == "whole"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.parquet"]


def hold(out, ready, done):
    with claim(out.with_suffix(".json"), [out]):
        ready.set()
        done.wait(30)


def test_the_second_writer_is_told_who_the_first_is(made, tmp_path):
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=[tmp_path / "a.parquet", ready, done])
    process.start()
    assert ready.wait(30)
    with pytest.raises(BusyError, match=f"is being written by process {process.pid} on "):
        made("ours")
    done.set()
    process.join()
    assert made("ours").exists()


def test_an_input_is_no_output(made, tmp_path):
    out = made("ours")
    with pytest.raises(OutputError, match="is to be read and to be written"), claim(tmp_path / "a.json", [out], [out]):
        pass


def test_only_what_a_json_of_ours_lists_is_removed(made, tmp_path):
    out, theirs = made("ours"), tmp_path / "b.parquet"
    theirs.write_bytes(MINE)
    with pytest.raises(OutputError, match="is not listed"):
        remove_file(theirs, tmp_path / "a.json")
    remove_file(out, tmp_path / "a.json")
    assert not out.exists()
    assert theirs.exists()


@pytest.mark.parametrize("name", ["../thesis.docx", "/etc/passwd", "a/../../thesis.docx", "", ".", "..", "a//b", 3])
def test_a_name_that_leads_out_of_its_folder_is_none(name):
    assert not plain_path(name)
    assert not plain_name(name)


@pytest.mark.parametrize("name", ["a", "n\x1b[31m", "ä.edf", ".hidden", "a b", "x\udcff"])
def test_a_name_of_any_bytes_in_its_own_folder_is_one(name):
    assert plain_name(name)
    assert plain_path(f"{name}/{name}")


def test_a_list_with_one_bad_name_counts_as_none(made, tmp_path):
    out = made("ours")
    record = tmp_path / "a.json"
    facts = json.loads(record.read_text())
    facts["files"]["../../thesis.docx"] = facts["files"]["a.parquet"]
    record.write_text(json.dumps(facts))
    with pytest.raises(OutputError):
        remove_file(out, record)
    assert out.exists()


def test_a_record_that_is_forgotten_leaves_its_files_known(made, tmp_path):
    out = made("ours")
    forget(tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()
    assert made("again") == out
    (tmp_path / "b.json").write_bytes(MINE)
    forget(tmp_path / "b.json")  # somebody's
    assert (tmp_path / "b.json").read_bytes() == MINE


def test_a_store_of_ours_is_known_by_its_mark_and_holds_nothing_else(tmp_path):
    store = tmp_path / "a.zarr"
    start_store(store, "recipe")
    check_store(store, HARMONIZED)
    with pytest.raises(OutputError, match="no store of scores"):
        check_store(store, SCORES)
    (store / "notes.txt").write_bytes(MINE)
    with pytest.raises(OutputError, match=r"holds notes\.txt"):
        check_store(store, HARMONIZED)
    (store / "notes.txt").unlink()
    (store / "zarr.json").rename(tmp_path / "elsewhere.json")
    (store / "zarr.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(OutputError):
        check_store(store, HARMONIZED)


def test_a_store_made_by_zarr_alone_is_somebodys(tmp_path):
    import zarr

    zarr.open_group(tmp_path / "a.zarr", mode="w", attributes={"recipe": "0123456789abcdef"})
    with pytest.raises(OutputError, match="no store of harmonized recordings made by this version"):
        check_store(tmp_path / "a.zarr", HARMONIZED)


def test_a_link_to_a_store_is_none(tmp_path):
    start_store(tmp_path / "a.zarr", "recipe")
    (tmp_path / "b.zarr").symlink_to(tmp_path / "a.zarr")
    with pytest.raises(OutputError):
        check_store(tmp_path / "b.zarr", HARMONIZED)
    remove_folder(tmp_path / "b.zarr")
    assert (tmp_path / "a.zarr" / "zarr.json").exists()


def test_a_marked_folder_is_ours_only_as_it_was_made(tmp_path):
    folder = tmp_path / "abc"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "night.edf").write_bytes(b"simulated")
    write_mark(folder, "MARK.json", {"seed": 1})
    check_marked(folder, "MARK.json", "cohort")
    (folder / "deep" / "night.edf").write_bytes(MINE)
    with pytest.raises(OutputError, match="was changed since"):
        check_marked(folder, "MARK.json", "cohort")
    (folder / "deep" / "night.edf").write_bytes(b"simulated")
    (folder / "deep" / "mine.edf").write_bytes(MINE)
    with pytest.raises(OutputError, match=r"holds deep/mine\.edf"):
        check_marked(folder, "MARK.json", "cohort")


def test_a_mark_that_names_what_lies_outside_is_none(tmp_path):
    folder = tmp_path / "abc"
    folder.mkdir()
    (folder / "MARK.json").write_text(json.dumps({"files": {"../thesis.docx": 1}}))
    with pytest.raises(OutputError, match="no cohort"):
        check_marked(folder, "MARK.json", "cohort")


@pytest.mark.parametrize(("out", "given"), [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("link", "a"), ("link/b", "a/b/c")])
def test_what_is_equal_to_above_or_below_an_input_is_refused(tmp_path, out, given):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(OutputError, match="is, holds or lies in what is read"):
        check_apart(tmp_path / out, [tmp_path / given])
    check_apart(tmp_path / "a" / "other", [tmp_path / "a" / "b"])


def test_a_folder_takes_its_name_at_once_and_the_old_one_goes(tmp_path):
    for name, text in (("new", "new"), ("old", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(text)
    put_in_place(tmp_path / "new", tmp_path / "old")
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old" / "x").read_text() == "new"


def test_links_in_a_folder_are_foreign(tmp_path):
    (tmp_path / "a").mkdir()
    assert foreign_in(tmp_path, []) is None
    (tmp_path / "a" / "b").symlink_to(tmp_path)
    assert foreign_in(tmp_path, []) == tmp_path / "a" / "b"


def test_texts_of_a_table_are_no_formulas(tmp_path):
    import pandas as pd

    table = pd.DataFrame(
        {"name": ["=cmd|'/C calc'!A0", "+1", "-1", "@x", "fine", None, "a\x1b[31m\nb"], "x": [-1.5] * 7}
    )
    write_table(table, tmp_path / "a.csv")
    back = pd.read_csv(tmp_path / "a.csv")
    expected = ["'=cmd|'/C calc'!A0", "'+1", "'-1", "'@x", "fine", None, "a\\x1b[31m\\nb"]
    assert back["name"].where(back["name"].notna(), None).tolist() == expected
    assert back["x"].tolist() == [-1.5] * 7

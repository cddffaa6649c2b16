"""Whom a training has seen is never unseen, whatever is drawn once more persons are there."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.config.split import Split
from hypnoflow.errors import CohortError
from hypnoflow.split.seen import as_trained, beside, persons_seen, write_seen
from hypnoflow.split.splits import split_persons

UNSEEN = ["test", "held_out"]


def table(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Return a table of splits with a recording per (cohort, person, group, split)."""
    found = pd.DataFrame(rows, columns=["cohort", "person", "group", "split"])
    return found.assign(shard="000", recording=[f"r{i}" for i in range(len(found))])


def trained(folder, *rows, name="seed1", bases=()):
    checkpoint = folder / f"{name}.ckpt"
    write_seen(persons_seen(table(*rows)), checkpoint, bases)
    return beside(checkpoint)


def splits(found: pd.DataFrame) -> dict[str, str]:
    return dict(zip(found["cohort"] + "/" + found["person"], found["split"], strict=True))


def test_persons_keep_what_a_training_used_them_for(tmp_path):
    seen = trained(tmp_path, ("a", "p1", "p1", "train"), ("a", "p2", "p2", "valid"), ("a", "p3", "p3", "test"))
    now = table(
        ("a", "p1", "p1", "test"), ("a", "p2", "p2", "train"), ("a", "p3", "p3", "train"), ("a", "p4", "p4", "test"),
        ("b", "p1", "p1", "held_out"), ("a", "p5", "p5", "valid"),
    )  # fmt: skip
    # p3 and p5 would be trained on today, and were not: nothing is said of them. p1 of b is somebody else.
    assert splits(as_trained(now, [seen])) == {
        "a/p1": "train", "a/p2": "valid", "a/p3": "unlisted", "a/p4": "test", "b/p1": "held_out", "a/p5": "unlisted",
    }  # fmt: skip


def test_a_cohort_that_is_held_out_later_was_seen_all_the_same(tmp_path):
    seen = trained(tmp_path, ("a", "p1", "p1", "train"), ("a", "p2", "p2", "test"))
    found = as_trained(table(("a", "p1", "p1", "held_out"), ("a", "p2", "p2", "held_out")), [seen])
    assert splits(found) == {"a/p1": "train", "a/p2": "held_out"}


def test_what_one_of_several_trainings_has_seen_is_seen(tmp_path):
    paths = [
        trained(tmp_path, ("a", "p1", "p1", "valid"), ("a", "p2", "p2", "train"), name="seed1"),
        trained(tmp_path, ("a", "p1", "p1", "train"), ("a", "p3", "p3", "valid"), name="seed2"),
    ]
    now = table(*(("a", p, p, "test") for p in ("p1", "p2", "p3", "p4")))
    for order in (paths, paths[::-1]):
        assert splits(as_trained(now, order)) == {"a/p1": "train", "a/p2": "train", "a/p3": "valid", "a/p4": "test"}


def test_the_family_of_a_seen_person_is_seen_also_where_it_is_found_out_later(tmp_path):
    seen = trained(tmp_path, ("cfs", "p1", "p1", "train"), ("cfs", "p3", "f3", "train"))
    now = table(
        ("cfs", "p1", "f1", "test"), ("cfs", "p2", "f1", "test"), ("cfs", "p4", "f3", "test"),
        ("cfs", "f3", "x", "test"),
    )  # fmt: skip
    # p2 is p1's sister, as we know now; p4 is p3's; the person called as that family is not of it.
    assert splits(as_trained(now, [seen])) == {
        "cfs/p1": "train", "cfs/p2": "train", "cfs/p4": "train", "cfs/f3": "test",
    }  # fmt: skip


def test_what_a_network_started_from_has_seen_is_seen(tmp_path):
    first = trained(tmp_path, ("a", "p1", "p1", "train"), name="first")
    assert first.exists()
    tuned = trained(tmp_path, ("a", "p2", "p2", "train"), name="tuned", bases=[tmp_path / "first.ckpt"])
    other = trained(tmp_path, ("a", "p2", "p2", "train"), name="other", bases=[tmp_path / "published.ckpt"])
    now = table(("a", "p1", "p1", "test"), ("a", "p2", "p2", "test"))
    assert splits(as_trained(now, [tuned])) == {"a/p1": "train", "a/p2": "train"}
    assert splits(as_trained(now, [other])) == {"a/p1": "test", "a/p2": "train"}


def test_what_no_split_has_stays_so(tmp_path):
    seen = trained(tmp_path, ("a", "p1", "p1", "train"))
    assert splits(as_trained(table(("a", "p1", "p1", "unlisted")), [seen])) == {"a/p1": "unlisted"}


def persons(numbers: list[int]) -> pd.DataFrame:
    rows = [("a", f"p{n}", f"f{n // 2}" if n % 3 else f"p{n}", "") for n in numbers]
    return table(*rows).drop(columns="split")


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 300), min_size=12, max_size=60), st.sets(st.integers(0, 300), max_size=40))
def test_nobody_seen_counts_as_unseen_once_persons_are_added(tmp_path_factory, first, added):
    folder = tmp_path_factory.mktemp("seen")
    drawn = split_persons(persons(sorted(first)), Split(), held_out=[], seed=1)
    write_seen(persons_seen(drawn), folder / "seed1.ckpt")
    pd.testing.assert_frame_equal(as_trained(drawn, [folder / "seed1.seen.parquet"]), drawn)  # nothing added
    again = split_persons(persons(sorted(first | added)), Split(), held_out=[], seed=1)
    found = as_trained(again, [folder / "seed1.seen.parquet"])
    used = drawn[drawn["split"].isin(["train", "valid"])]
    unseen = found[found["split"].isin(UNSEEN)]
    assert not set(unseen["person"]) & set(used["person"])
    assert not set(unseen["group"]) & set(used["group"])
    assert (found.groupby("group")["split"].nunique() == 1).all()
    assert set(found.loc[found["split"].isin(["train", "valid"]), "group"]) <= set(used["group"])


def test_a_damaged_list_is_named(tmp_path):
    path = tmp_path / "seed1.seen.parquet"
    path.write_bytes(b"nothing")
    with pytest.raises(CohortError, match=r"seed1\.seen\.parquet"):
        as_trained(table(("a", "p1", "p1", "train")), [path])

"""Persons into splits: U-Sleep's rule, and no person in two of them."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.config.split import Split
from hypnoflow.errors import CohortError
from hypnoflow.split.splits import SPLITS, split_persons
from hypnoflow.split.usable import usable

# Persons in train, valid and test of single-visit cohorts in AnySleep's table of data sets (papers.md, section 1.1).
USLEEP = {"ccshs": (387, 50, 78), "dcsm": (190, 26, 39), "hpap": (178, 24, 36), "phys": (844, 50, 100),
          "sof": (339, 46, 68)}  # fmt: skip


def manifest(cohorts: dict[str, int], visits: int = 1, shard_size: int = 50) -> pd.DataFrame:
    rows = [
        {"cohort": cohort, "recording": f"{cohort}-{person:05d}-{visit}", "person": f"{person:05d}"}
        for cohort, n in cohorts.items()
        for person in range(n)
        for visit in range(1, 1 + (visits if person % 2 else 1))
    ]
    table = pd.DataFrame(rows).assign(group=lambda rows: rows["person"])
    return table.assign(shard=[f"{i // shard_size:03d}" for i in table.groupby("cohort").cumcount()])


def split(cohorts: dict[str, int], held_out: tuple[str, ...] = (), seed: int = 1, **more) -> pd.DataFrame:
    return split_persons(manifest(cohorts, **more), Split(), held_out=set(held_out), seed=seed)


def persons(table: pd.DataFrame) -> dict[str, int]:
    return table.groupby("split")["person"].nunique().to_dict()


SIZES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 60), min_size=1)


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(1, 3), st.integers(0, 10**6), st.sets(st.sampled_from(["a", "b"])))
def test_no_person_is_in_two_splits_and_every_recording_in_one(sizes, visits, seed, held_out):
    rows = manifest({"big": 20, **sizes}, visits)
    table = split_persons(rows, Split(), held_out=held_out, seed=seed)
    assert (table.groupby(["cohort", "person"])["split"].nunique() == 1).all()
    assert sorted(table["recording"]) == sorted(rows["recording"])
    assert set(table["split"]) <= set(SPLITS)
    assert ((table["split"] == "held_out") == table["cohort"].isin(held_out)).all()


@pytest.mark.parametrize("cohort", USLEEP)
def test_counts_of_persons_are_those_of_usleep(cohort):
    wanted = dict(zip(("train", "valid", "test"), USLEEP[cohort], strict=True))
    assert persons(split({cohort: sum(wanted.values())})) == wanted


def test_caps_hold_for_huge_cohorts():
    assert persons(split({"a": 3000})) == {"train": 2850, "valid": 50, "test": 100}


@pytest.mark.parametrize("n", [3, 4, 5, 8])
def test_small_cohorts_keep_someone_in_each_split(n):
    assert set(persons(split({"a": n}))) == {"train", "valid", "test"}


def test_adding_or_growing_a_cohort_leaves_the_others_as_they_were():
    alone = split({"b": 40})
    for other in ({"a": 30, "b": 40}, {"b": 40, "z": 5}):
        table = split(other)
        assert table[table["cohort"] == "b"].reset_index(drop=True).equals(alone)


def test_order_of_rows_does_not_matter():
    rows = manifest({"a": 30, "b": 10}, 2)
    shuffled = rows.sample(frac=1, random_state=1)
    one, two = (split_persons(r, Split(), held_out=(), seed=1) for r in (rows, shuffled))
    assert one.equals(two)


def test_holding_a_cohort_out_leaves_the_others_as_they_were():
    sizes = {"a": 30, "b": 40}
    one, two = split(sizes), split(sizes, held_out=("a",))
    assert one[one["cohort"] == "b"].equals(two[two["cohort"] == "b"])


def test_one_option_trains_on_all_cohorts_the_others_unmoved():
    rows = manifest({"a": 30, "b": 40}, 2)
    apart = split_persons(rows, Split(), held_out=("a",), seed=1)
    all_in = split_persons(rows, Split(hold_out=False), held_out=("a",), seed=1)
    assert all_in.equals(split_persons(rows, Split(), held_out=(), seed=1))
    assert all_in[all_in["cohort"] == "b"].equals(apart[apart["cohort"] == "b"])


def test_seed_changes_who_goes_where_but_not_how_many():
    one, two = split({"a": 60}, seed=1), split({"a": 60}, seed=2)
    assert persons(one) == persons(two)
    assert not one["split"].equals(two["split"])
    assert one.equals(split({"a": 60}, seed=1))


def test_draw_is_not_by_order_of_name():
    table = split({"a": 100})
    where = table["split"].eq("test").to_numpy().nonzero()[0]
    assert len(where) == 15
    assert where.max() > 50 > where.min()


@pytest.mark.parametrize("sizes, held_out", [({"a": 1}, ()), ({"a": 30}, ("a",)), ({"a": 30, "b": 1}, ("a",))])
def test_nobody_left_to_train_or_validate_on_is_an_error(sizes, held_out):
    with pytest.raises(CohortError, match="no person is left for"):
        split(sizes, held_out)


def test_usable_keeps_only_recordings_that_were_harmonized(tmp_path):
    table = split({"a": 10})
    (tmp_path / "a").mkdir()
    with pytest.raises(CohortError, match=r"000\.json is missing"):
        usable(table, tmp_path)
    kept = sorted(table["recording"])[2:]
    (tmp_path / "a" / "000.json").write_text(json.dumps({"recordings": dict.fromkeys(kept, "hash")}))
    assert sorted(usable(table, tmp_path)["recording"]) == kept


def test_a_family_goes_to_one_split_whole():
    rows = manifest({"cfs": 90}).assign(group=lambda rows: [f"family {int(p) // 3}" for p in rows["person"]])
    table = split_persons(rows, Split(), held_out=(), seed=1)
    assert (table.groupby("group")["split"].nunique() == 1).all()
    # shares are of families, of which there are thirty
    assert table.groupby("split")["group"].nunique().to_dict() == {"test": 5, "train": 22, "valid": 3}

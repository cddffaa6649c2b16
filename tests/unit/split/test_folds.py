"""Folds: every recording is tested once, and no person or family is on both sides."""

from __future__ import annotations

import pandas as pd
import pytest

from hypnoflow.config.split import Split
from hypnoflow.errors import CohortError, ConfigError
from hypnoflow.split.left_out import of_fold
from hypnoflow.split.seen import as_trained, persons_seen, write_seen
from hypnoflow.split.splits import split_persons


def sleep_edf(subjects: range, lost: tuple[str, ...] = ()) -> pd.DataFrame:
    """Two nights a subject as sedf-sc has them, less those that were lost."""
    rows = [
        {"cohort": "sedf-sc", "shard": "000", "recording": f"SC4{s:02d}{n}", "person": f"SC4{s:02d}"}
        for s in subjects
        for n in (1, 2)
    ]
    table = pd.DataFrame(rows).assign(group=lambda t: t["person"])
    return table[~table["recording"].isin(lost)].reset_index(drop=True)


def drawn(recordings: pd.DataFrame, held_out=(), seed: int = 1, **options) -> pd.DataFrame:
    return split_persons(recordings, Split(kind="folds", **options), held_out=held_out, seed=seed)


def check(table: pd.DataFrame, folds: int) -> None:
    for who in ("person", "group"):
        assert (table.groupby(["cohort", who])["fold"].nunique() == 1).all()
    own = table[table["fold"] > 0]
    tested = sum((own[f"in_fold_{k}"] == "test").astype(int) for k in range(1, folds + 1))
    assert (tested == 1).all()  # every recording once
    for k in range(1, folds + 1):
        sides = table.groupby(["cohort", "group"])[f"in_fold_{k}"].nunique()
        assert (sides == 1).all()
        assert (own.loc[own["fold"] == k, f"in_fold_{k}"] == "test").all()
        assert {"train", "valid"} <= set(own.loc[own["fold"] != k, f"in_fold_{k}"])


def test_sleep_edf_20_leaves_out_one_of_the_first_twenty_subjects_at_a_time():
    """39 recordings, since the second night of subject 13 is lost."""
    table = drawn(sleep_edf(range(83), ("SC4132",)), folds=20, persons=20)
    used = table[table["fold"] > 0]
    assert len(used) == 39
    assert sorted(used["person"].unique()) == [f"SC4{s:02d}" for s in range(20)]
    assert (used.groupby("fold")["person"].nunique() == 1).all()
    assert set(table.loc[table["fold"] == 0, "split"]) == {"unlisted"}
    check(table, 20)


def test_sleep_edf_78_has_ten_folds_of_seven_or_eight_subjects():
    """Of 83 numbers five were never recorded; three nights are lost: 153 recordings of 78 subjects."""
    subjects = [s for s in range(83) if s not in (39, 68, 69, 78, 79)]
    table = drawn(sleep_edf(subjects, ("SC4132", "SC4362", "SC4522")), folds=10)
    assert (len(table), table["person"].nunique()) == (153, 78)
    assert sorted(table.groupby("fold")["person"].nunique()) == [7, 7, 8, 8, 8, 8, 8, 8, 8, 8]
    assert set(table["split"]) == {"test"}
    check(table, 10)


def test_families_stay_together_and_small_cohorts_share_the_folds():
    several = [sleep_edf(range(3)).assign(cohort=f"c{k}") for k in range(4)]
    several[0].loc[several[0]["person"] != "SC400", "group"] = "family"
    table = drawn(pd.concat(several, ignore_index=True), folds=5)
    check(table, 5)
    groups = table.drop_duplicates(["cohort", "group"]).groupby("fold").size()
    assert groups.tolist() == [3, 2, 2, 2, 2]  # 11 families


def test_held_out_cohorts_are_in_no_fold_and_train_nothing():
    both = pd.concat([sleep_edf(range(8)), sleep_edf(range(4)).assign(cohort="other")], ignore_index=True)
    table = drawn(both, held_out={"other"}, folds=4)
    other = table[table["cohort"] == "other"]
    assert set(other["fold"]) == {0}
    assert {value for name in table if name.startswith(("split", "in_fold")) for value in other[name]} == {"held_out"}


def test_another_seed_deals_otherwise_and_the_same_alike():
    recordings = sleep_edf(range(20))
    assert drawn(recordings, folds=5).equals(drawn(recordings, folds=5))
    assert not drawn(recordings, folds=5)["fold"].equals(drawn(recordings, folds=5, seed=2)["fold"])


def test_too_few_persons_are_said():
    with pytest.raises(CohortError, match="3 persons or families are too few for 4 folds"):
        drawn(sleep_edf(range(3)), folds=4)
    with pytest.raises(CohortError, match=r"no person is left for valid in fold 1 of 2"):
        drawn(sleep_edf(range(2)), folds=2)


def test_a_training_reads_the_table_of_its_fold_and_must_say_which():
    table = drawn(sleep_edf(range(6)), folds=3)
    second = of_fold(table, 2)
    assert set(second.loc[second["split"] == "test", "person"]) == set(table.loc[table["fold"] == 2, "person"])
    assert not [name for name in second if name.startswith("in_fold")]
    with pytest.raises(ConfigError, match="has the folds 1, 2, 3; name one with --fold"):
        of_fold(table, None)
    with pytest.raises(ConfigError, match="has the folds 1, 2, 3; found fold 4"):
        of_fold(table, 4)
    plain = table[["cohort", "person", "split"]]
    assert of_fold(plain, None) is plain
    with pytest.raises(ConfigError, match="has no folds; found fold 1"):
        of_fold(plain, 1)


def test_whom_the_network_of_the_own_fold_has_seen_is_not_unseen(tmp_path):
    """A training was kept while the folds were dealt anew: its fold 1 saw a person who is now in fold 1."""
    table = drawn(sleep_edf(range(6)), folds=3)
    stranger = table.loc[table["fold"] == 1, "person"].iloc[0]
    paths = []
    for k in (1, 2, 3):
        seen = persons_seen(of_fold(table, k), k)
        if k == 1:
            one = table[table["person"] == stranger].assign(split="train")
            seen = pd.concat([seen, persons_seen(one, k)])
        write_seen(seen, tmp_path / f"seed1-fold{k}.ckpt")
        paths.append(tmp_path / f"seed1-fold{k}.seen.parquet")
    found = as_trained(table, paths)
    assert set(found.loc[found["split"] == "train", "person"]) == {stranger}
    assert set(found.loc[found["person"] != stranger, "split"]) == {"test"}


def test_whom_a_base_has_seen_counts_in_the_fold_of_what_starts_from_it(tmp_path):
    """One file is the base of all folds; it was itself trained without fold 3, and has seen all others."""
    table = drawn(sleep_edf(range(6)), folds=3)
    write_seen(persons_seen(of_fold(table, 3), 3), tmp_path / "base.ckpt")
    paths = []
    for k in (1, 2, 3):
        write_seen(persons_seen(of_fold(table, k), k), tmp_path / f"seed1-fold{k}.ckpt", [tmp_path / "base.ckpt"], k)
        paths.append(tmp_path / f"seed1-fold{k}.seen.parquet")
    found = as_trained(table, paths)
    assert set(found.loc[found["fold"] == 3, "split"]) == {"test"}
    assert set(found.loc[found["fold"] != 3, "split"]) <= {"train", "valid"}


def test_a_relative_who_is_in_no_fold_makes_nobody_seen(tmp_path):
    """Of a family one is among the first persons, and tested; the other is not in the study."""
    recordings = sleep_edf(range(9))
    recordings.loc[recordings["person"].isin(["SC403", "SC408"]), "group"] = "family"
    table = drawn(recordings, folds=3, persons=6)
    for k in (1, 2, 3):
        write_seen(persons_seen(of_fold(table, k), k), tmp_path / f"seed1-fold{k}.ckpt", fold=k)
    found = as_trained(table, [tmp_path / f"seed1-fold{k}.seen.parquet" for k in (1, 2, 3)])
    assert found["split"].tolist() == table["split"].tolist()

"""A study in folds: one training of the entry for each, and every person scored by the one that did not see them."""

from __future__ import annotations

import json
import re

import pandas as pd
import zarr


def test_everybody_is_scored_by_the_network_that_has_not_seen_them(copy_of_finished):
    workflow = copy_of_finished
    workflow.config["science"]["split"] = {"kind": "folds", "folds": 2}
    workflow.config["science"]["evaluate"] = {"subsets": {"kind": "count", "draws": 1, "most_eeg": 2}}
    workflow.run()
    assert workflow.planned() == {}
    results = workflow.results
    runs = {k: json.loads((results / "train" / "anysleep" / f"seed1-fold{k}.json").read_text()) for k in (1, 2)}
    assert {k: facts["fold"] for k, facts in runs.items()} == {1: 1, 2: 2}
    hashes = {k: facts["files"][f"seed1-fold{k}.ckpt"]["sha256"] for k, facts in runs.items()}
    table = pd.read_parquet(results / "split" / "anysleep.parquet")
    held_out = table["split"] == "held_out"
    assert held_out.any()
    assert set(table.loc[~held_out, "split"]) == {"test"}
    assert set(table.loc[~held_out, "fold"]) == {1, 2}
    for (cohort, shard), rows in table.groupby(["cohort", "shard"]):
        store = results / "score" / "anysleep" / cohort / f"{shard}.zarr"
        facts = json.loads(store.with_suffix(".json").read_text())
        assert list(facts["checkpoints"].values()) == [hashes[1], hashes[2]]
        for row in rows[rows["recording"].isin(list(facts["recordings"]))].itertuples():
            used = zarr.open_group(store, mode="r")[row.recording].attrs["temperature"]
            wanted = [row.fold] if row.fold else [1, 2]
            assert used == [runs[k]["calibration"]["temperature"] for k in wanted]
            assert facts.get("folds", {}).get(row.recording, 0) == row.fold
    for k in (1, 2):
        seen = pd.read_parquet(results / "train" / "anysleep" / f"seed1-fold{k}.seen.parquet")
        own = table[table["fold"] == k]
        assert not set(own["cohort"] + own["group"]) & set(seen["cohort"] + seen["group"])
    found = pd.read_parquet(results / "evaluate" / "anysleep.parquet")
    assert set(found["split"]) <= {"test", "held_out"}
    subsets = pd.concat(map(pd.read_parquet, (results / "subsets" / "anysleep").rglob("00?.parquet")))
    assert set(subsets["seed"]) == {"seed1"}
    assert not subsets.duplicated(["cohort", "recording", "cell", "channels"]).any()  # each by one network
    page = (results / "report" / "report.html").read_text()
    assert re.search("seed1-fold1: .* training and .*seed1-fold2: ", page, re.S)

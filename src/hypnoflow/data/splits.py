"""Stage `split`: persons, never recordings, into train, valid and test; held-out cohorts whole."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from hypnoflow.config import Split
from hypnoflow.errors import CohortError
from hypnoflow.seeds import generator

SPLITS = ("train", "valid", "test", "held_out")


def split_persons(recordings: pd.DataFrame, options: Split, *, held_out: Collection[str], seed: int) -> pd.DataFrame:
    """Assign every person to a split, cohort by cohort.

    Parameters
    ----------
    recordings : DataFrame
        Columns cohort, shard, recording, person of every manifest: also what cannot be used later, so that a
        recording that fails moves nobody else.
    options : Split
        Shares and caps: U-Sleep's rule, 10 % (at most 50 persons) and 15 % (at most 100).
    held_out : collection of str
        Cohorts that are kept out of training and validation whole.
    seed : int
        The config's seed; each cohort has a draw of its own, so that adding one leaves the others as they are.

    Returns
    -------
    DataFrame
        Columns cohort, shard, recording, person, split, one row per recording, sorted.

    Raises
    ------
    CohortError
        If nothing is left to train on.
    """
    parts = []
    for cohort, rows in recordings.groupby("cohort", sort=True):
        persons = sorted(rows["person"].unique())
        if cohort in held_out:
            where = dict.fromkeys(persons, "held_out")
        else:
            order = generator(seed, "split", str(cohort)).permutation(len(persons))
            where = dict(zip((persons[i] for i in order), _labels(len(persons), options), strict=True))
        parts.append(rows[["cohort", "shard", "recording", "person"]].assign(split=rows["person"].map(where)))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["split"])
    for needed in ("train", "valid"):
        if not (table["split"] == needed).any():
            raise CohortError(f"no person is left for {needed}: too few persons, or every cohort is held out")
    return table.sort_values(["cohort", "recording"], ignore_index=True)


def _labels(n: int, options: Split) -> list[str]:
    """Return the splits of `n` persons in drawn order; small cohorts keep one person at least to train on."""
    test = min(math.ceil(n * options.test_fraction), options.test_max, n - 1)
    valid = min(math.ceil(n * options.valid_fraction), options.valid_max, max(n - 1 - test, 0))
    return ["test"] * test + ["valid"] * valid + ["train"] * (n - test - valid)


def usable(split: pd.DataFrame, harmonized: Path) -> pd.DataFrame:
    """Return the rows of `split` whose recordings were harmonized, by the sibling JSON of each store.

    Raises
    ------
    CohortError
        If a shard's JSON is missing: its store is not whole.
    """
    kept = []
    for (cohort, shard), rows in split.groupby(["cohort", "shard"], sort=True):
        sibling = harmonized / str(cohort) / f"{shard}.json"
        if not sibling.exists():
            raise CohortError(f"{sibling} is missing: harmonize this shard first")
        kept.append(rows[rows["recording"].isin(json.loads(sibling.read_text())["recordings"])])
    return pd.concat(kept, ignore_index=True) if kept else split

"""Which recordings of a split later stages can use."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hypnoflow.errors import CohortError
from hypnoflow.facts.files import read_json


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
        kept.append(rows[rows["recording"].isin(read_json(sibling)["recordings"])])
    return pd.concat(kept, ignore_index=True) if kept else split

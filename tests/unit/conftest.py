"""A results folder with one small simulated cohort, as the workflow lays it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.harmonize.job import harmonize_shard
from hypnoflow.store.manifest import write_manifest


@pytest.fixture(scope="session")
def results(simulated, tmp_path_factory) -> Path:
    """Folder of `index` and `harmonized` results of shhs: two recordings of half an hour, one to a store."""
    folder = tmp_path_factory.mktemp("readback") / "results"
    root = simulated("shhs")
    manifest, _ = index_cohort("shhs", root, 1)
    write_manifest(folder / "index" / "shhs.parquet", manifest, {})
    for shard, rows in manifest.groupby("shard"):
        harmonize_shard(rows, root, folder / "harmonized" / "shhs" / f"{shard}.zarr", Harmonize())
    return folder

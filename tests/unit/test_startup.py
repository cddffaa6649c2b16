"""A job of a stage without networks starts without torch: 3 s of every one of thousands of jobs on a cluster."""

from __future__ import annotations

import json

import pytest
from tests.startup import WITHOUT_TORCH, imported_by, start_of

NETWORKS = {"torch", "lightning", "torchmetrics", "tensorboardX"}
RUN_FOUR_STAGES = """
import sys
from pathlib import Path
from hypnoflow import cli
folder, science = Path(sys.argv[1]), sys.argv[2]
def verb(*words):
    cli.app([*words, "--science", science], standalone_mode=False)
native, manifest = str(folder / "shhs"), str(folder / "shhs.parquet")
verb("simulate", "shhs", "--out", native)
verb("index", "shhs", "--root", native, "--out", manifest)
store = str(folder / "shhs" / "000.zarr")
verb("harmonize", "--manifest", manifest, "--shard", "000", "--root", native, "--out", store)
verb("split", manifest, "--out", str(folder / "split.parquet"))
assert Path(store).with_suffix(".json").exists() and (folder / "split.parquet").exists()
"""


@pytest.mark.parametrize("verb", WITHOUT_TORCH)
def test_a_stage_without_networks_imports_no_torch_not_even_indirectly(verb):
    assert not imported_by(start_of(verb)) & NETWORKS


def test_the_stages_with_networks_do_so_that_the_check_can_fail():
    assert "torch" in imported_by(start_of("train"))


def test_what_the_first_stages_import_while_they_work_is_no_torch_either(tmp_path):
    cohorts = {"shhs": {"persons": 6, "night_h": 0.25}}
    science = json.dumps({"cohorts": cohorts})
    assert not imported_by(RUN_FOUR_STAGES, str(tmp_path), science) & NETWORKS


def test_a_config_is_checked_without_what_simulates_or_learns():
    program = "from hypnoflow.head.check import checked_config\nchecked_config({}, 'the defaults')"
    assert not imported_by(program) & (NETWORKS | {"scipy", "sklearn", "matplotlib", "dask", "xarray"})

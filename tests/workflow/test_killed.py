"""Killing the whole run at any time and running it again gives the results of an undisturbed run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import psutil
import pytest
import zarr

from tests.workflow.conftest import make_workflow

STAGES = ("simulate", "harmonize", "train", "score")


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a process and all that it started, as a power cut would."""
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def wait_for(stage: str, workflow, process: subprocess.Popen[bytes]) -> None:
    """Return once a job of `stage` has begun to write its log."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if any(path.is_file() for path in (workflow.results / "logs" / stage).rglob("*.log")):
            return
        time.sleep(0.02)
    raise AssertionError(f"{stage} never started")


def decoded(results) -> dict[str, object]:
    """Return every value that a reader of the results would see, by path."""
    values: dict[str, object] = {}
    for path in sorted(results.rglob("*.parquet")):
        values[str(path.relative_to(results))] = pd.read_parquet(path).to_json(double_precision=12)
    for store in sorted(results.rglob("*.zarr")):
        for name, array in zarr.open_group(store, mode="r").members(max_depth=None):
            if isinstance(array, zarr.Array):
                values[f"{store.relative_to(results)}/{name}"] = array[...]
    return values


@pytest.mark.slow
def test_results_equal_those_of_an_undisturbed_run(finished, tmp_path):
    workflow = make_workflow(tmp_path)
    for stage in STAGES:
        process = subprocess.Popen(
            workflow.command("--nolock"),
            cwd=workflow.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(stage, workflow, process)
        kill_tree(process)
    workflow.run("--unlock")
    workflow.run()
    wanted, found = decoded(finished.results), decoded(workflow.results)
    assert found.keys() == wanted.keys()
    for path, value in wanted.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)

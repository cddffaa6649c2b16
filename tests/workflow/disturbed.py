"""What the tests of faults share: ways to disturb a run, and what a reader sees in its results afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import zarr

from tests.workflow.conftest import Workflow

PATIENCE_S = 400.0


def start(workflow: Workflow, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a run in the background; what it says is added to run.log in its folder."""
    log = (workflow.folder / "run.log").open("ab")
    return subprocess.Popen(
        workflow.command(*arguments), cwd=workflow.folder, stdout=log, stderr=log, env=workflow.environment
    )


def said(workflow: Workflow) -> str:
    """Return what the runs in the background have said."""
    return (workflow.folder / "run.log").read_text()


def kill_head(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the head alone; its jobs know nothing of it."""
    process.kill()
    process.wait()


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a process and all that it started, as a power cut would."""
    for pid in (process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def jobs(workflow: Workflow, verb: str = "") -> list[psutil.Process]:
    """Return the processes of this machine that run a `verb` of the package for this working folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            ours = len(words) > 2 and Path(words[1]).name == "hypnoflow" and words[2].startswith(verb)
            found += [process] if ours and process.environ().get("HYPNOFLOW_FOLDER") == str(workflow.folder) else []
    return found


def wait_for(what: Callable[[], object], process: subprocess.Popen[bytes] | None = None) -> None:
    """Return once `what` is true; a head that ends before is an error."""
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise AssertionError(f"never came: {what.__qualname__}; head ended with {process and process.poll()}")
        time.sleep(0.02)


def decoded(results: Path) -> dict[str, object]:
    """Return every value that a reader of the results would see, by path."""
    values: dict[str, object] = {}
    for path in sorted(results.rglob("*.parquet")):
        values[str(path.relative_to(results))] = pd.read_parquet(path).to_json(double_precision=12)
    for store in sorted(results.rglob("*.zarr")):
        for name, array in zarr.open_group(store, mode="r").members(max_depth=None):
            if isinstance(array, zarr.Array):
                values[f"{store.relative_to(results)}/{name}"] = array[...]
    return values


def differences(wanted: dict[str, object], found: dict[str, object]) -> list[str]:
    """Return the paths whose values differ, or that only one of them has."""
    differ = set(wanted) ^ set(found)
    for path in set(wanted) & set(found):
        a, b = wanted[path], found[path]
        same = a == b if isinstance(a, str) else np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")
        differ |= set() if same else {path}
    return sorted(differ)

"""The program as a user runs it, in a process of its own, without the seconds that Python and torch take to start.

The process is a fork of one that has imported what the verbs need and done nothing with it. What depends on how Python
starts (the locale, say) needs `afresh`, and so does a measurement of memory.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

PROGRAM = Path(sys.executable).parent / "hypnoflow"
PATIENCE_S = 300
NOTHING: Mapping[str, str] = MappingProxyType({})
PRELOADED = ["hypnoflow.cli", "hypnoflow.direct.score", "hypnoflow.direct.nights", "hypnoflow.direct.summary",
             "hypnoflow.harmonize.job", "matplotlib.figure", "mne", "yasa"]  # fmt: skip


def hypnoflow(
    *words: str | os.PathLike[str], env: Mapping[str, str] = NOTHING, cwd: Path | None = None, memory_gb: int = 0
) -> subprocess.CompletedProcess[bytes]:
    """Run the program and return its exit code and what it wrote; `memory_gb` is all that it may take."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)  # looked at when the first process is started
    command = [os.fspath(word) for word in words]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        environment = {**os.environ, "COLUMNS": "300", **env}
        process = context.Process(target=_run, args=(command, environment, cwd, memory_gb, out, err))
        process.start()
        process.join(PATIENCE_S)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"{command} did not end: {out.read_text()[-2000:]}{err.read_text()[-2000:]}")
        return subprocess.CompletedProcess(command, process.exitcode, out.read_bytes(), err.read_bytes())


def afresh(*words: str | os.PathLike[str], env: Mapping[str, str] = NOTHING) -> subprocess.CompletedProcess[bytes]:
    """Run the program from nothing."""
    environment = {**os.environ, "COLUMNS": "300", **env}
    command = [PROGRAM, *map(os.fspath, words)]
    return subprocess.run(command, capture_output=True, env=environment, timeout=PATIENCE_S, check=False)


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return what was said in one message, and see that no traceback was."""
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert "Traceback" not in text
    return text


def _run(words: list[str], environment: dict[str, str], cwd: Path | None, memory_gb: int, out: Path, err: Path) -> None:
    for path, number in ((out, 1), (err, 2)):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(handle, number)
        os.close(handle)
    os.environ.clear()
    os.environ.update(environment)
    if cwd is not None:
        os.chdir(cwd)
    if memory_gb:
        resource.setrlimit(resource.RLIMIT_AS, (memory_gb << 30, memory_gb << 30))
    sys.argv = [str(PROGRAM), *words]
    from hypnoflow.cli import main

    main()

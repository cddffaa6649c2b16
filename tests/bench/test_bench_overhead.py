"""What Snakemake adds to the stages' own time: the workflow against its very command lines, run by hand.

By hand means a careful user: stages one after another, within a stage as many jobs side by side as the cores hold, as
with ``xargs -P``, and every job on the cores that it was given. HYPNOFLOW_BENCH_DEMO=1 measures the shipped config.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.workflow.conftest import Workflow, make_workflow

CORES = 2
DEMO = os.environ.get("HYPNOFLOW_BENCH_DEMO") == "1"
JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?: {4}.*\n)+)Shell command: +(hypnoflow .+)$", re.MULTILINE)
OF_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # which Snakemake sets for its jobs


@dataclass(frozen=True)
class Job:
    """One job of a run, as Snakemake printed it."""

    stage: str
    threads: int
    command: str

    def run(self, folder: Path) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {
            **os.environ,
            "PATH": path,
            "PYTHONPATH": str(folder / "src"),
            **dict.fromkeys(OF_THREADS, str(self.threads)),
        }
        subprocess.run(["bash", "-c", self.command], cwd=folder, env=env, check=True)


def jobs_of(printed: str) -> list[Job]:
    """Return the jobs of a run with ``--printshellcmds``, in the order in which they started."""
    found = []
    for stage, facts, command in JOB.findall(printed):
        threads = re.search(r"^ {4}threads: (\d+)$", facts, re.MULTILINE)
        found.append(Job(stage, int(threads[1]) if threads else 1, command))
    return found


def run_by_hand(jobs: list[Job], folder: Path) -> None:
    """Run stage after stage; a stage that another needs started before it, so the order of first starts will do."""
    for stage in dict.fromkeys(job.stage for job in jobs):
        mine = [job for job in jobs if job.stage == stage]
        with ThreadPoolExecutor(max(1, CORES // mine[0].threads)) as pool:
            list(pool.map(lambda job: job.run(folder), mine))


def outputs(results: Path, jobs: list[Job]) -> set[str]:
    """Return the names of all files in the folders of the stages; logs and the head's own notes lie elsewhere."""
    paths = (path for stage in {job.stage for job in jobs} for path in (results / stage).rglob("*") if path.is_file())
    return {re.sub(r"tfevents\..*", "tfevents", str(path.relative_to(results))) for path in paths}  # cut off: a time


def folders_for(jobs_folder: Path, finished: Workflow) -> Path:
    """Make the folders that jobs write into, which Snakemake makes for its own, and return the root."""
    copy = make_workflow(jobs_folder)
    for path in [p for p in finished.results.rglob("*") if p.is_dir()]:
        inside = [*path.relative_to(finished.results).parents, path.relative_to(finished.results)]
        if not any(part.suffix == ".zarr" or part.parent.name == "simulate" for part in inside):
            (copy.results / path.relative_to(finished.results)).mkdir(parents=True, exist_ok=True)
    return copy.folder


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Fill in the wall time of a block, and the CPU time of the processes that it started and waited for."""
    took: dict[str, float] = {}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    yield took
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took["wall_s"] = time.perf_counter() - start
    took["cpu_s"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    (tmp_path / "workflow").mkdir()
    made = make_workflow(tmp_path / "workflow")
    if DEMO:
        made.config = {"run": {"log_level": "info"}}  # the shipped config as it stands
    return made


def test_the_workflow_against_its_own_command_lines_run_by_hand(workflow, tmp_path):
    with measured() as snakemake:
        printed = workflow.run("--printshellcmds").stdout
    jobs = jobs_of(printed)
    assert len(jobs) == printed.count("\nFinished jobid: ") - 1  # all but the target `all`, which runs nothing
    (tmp_path / "hand").mkdir()
    folder = folders_for(tmp_path / "hand", workflow)
    with measured() as hand:
        run_by_hand(jobs, folder)
    assert outputs(folder / "results", jobs) == outputs(workflow.results, jobs)  # the same work was done
    ratio = {name: snakemake[name] / hand[name] for name in hand}
    print(
        f"\n{'demo' if DEMO else 'small workflow'}, {len(jobs)} jobs on {CORES} cores, snakemake against by hand:"
        f" {snakemake['wall_s']:.0f} s / {hand['wall_s']:.0f} s = {ratio['wall_s']:.2f} (demo: at most 1.2),"
        f" CPU {snakemake['cpu_s']:.0f} s / {hand['cpu_s']:.0f} s = {ratio['cpu_s']:.2f}"
    )
    shutil.rmtree(folder)
    assert ratio["wall_s"] < (1.2 if DEMO else 2.0)

"""A study of many recordings as the workflow sees it: manifests without a single signal, and the time to plan jobs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.workflow.conftest import Workflow, make_workflow

from hypnoflow.cohorts.layouts.base import Found
from hypnoflow.cohorts.layouts.index import manifest_of
from hypnoflow.store.manifest import write_manifest

# Recordings of each cohort in AnySleep's split file (arXiv 2512.14461), 19,909 in all.
SIZES = {
    "abc": 132, "ccshs": 515, "cfs": 730, "chat": 1637, "dcsm": 255, "dodh": 25, "dodo": 55, "hpap": 238,
    "isruc-sg1": 100, "isruc-sg2": 16, "isruc-sg3": 10, "mass-c1": 53, "mass-c3": 62, "mesa": 2054, "mros": 3914,
    "phys": 994, "sedf-sc": 153, "sedf-st": 44, "shhs": 8444, "sof": 453, "svuh": 25,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planned:
    """What a start of Snakemake took, the jobs that it planned by rule, and the files that they would write."""

    wall_s: float
    peak_mb: float
    jobs: Mapping[str, int]
    outputs: Sequence[str]

    def __str__(self) -> str:
        plan = f"{sum(self.jobs.values())} jobs with {len(self.outputs)} outputs" if self.jobs else "nothing to do"
        return f"{self.wall_s:.1f} s, {self.peak_mb:.0f} MB, {plan}"


def larger(total: int) -> dict[str, int]:
    """Return the cohorts with `total` recordings in the same shares."""
    sizes = {name: round(n * total / sum(SIZES.values())) for name, n in SIZES.items()}
    sizes["shhs"] += total - sum(sizes.values())
    return sizes


def make_study(folder: Path, sizes: Mapping[str, int], shard_size: int = 100) -> Workflow:
    """Return a working copy whose manifests name `sizes` recordings in empty folders."""
    workflow = make_workflow(folder)
    native = folder / "native"
    native.mkdir()
    cohorts = dict.fromkeys(yaml.safe_load((folder / "config.yaml").read_text())["science"]["cohorts"])
    cohorts |= {name: {"root": str(native)} for name in sizes}
    workflow.config = {"science": {"cohorts": cohorts, "index": {"shard_size": shard_size}}}
    (workflow.results / "index").mkdir(parents=True)
    for name, n in sizes.items():
        write_index(workflow, name, n, shard_size)
    # To Snakemake they are its own, or a start would judge them by the command in their JSON, and make them again.
    start(workflow, "--touch", "--forcerun", "index", "--", *(f"results/index/{name}.parquet" for name in sizes))
    return workflow


def write_index(workflow: Workflow, cohort: str, n: int, shard_size: int) -> None:
    """Write the manifest of `n` recordings as the stage index would."""
    native = workflow.folder / "native"
    manifest, problems = manifest_of(cohort, [found(cohort, i) for i in range(n)], native, shard_size)
    about = {"cohort": cohort, "root": str(native), "problem": "", "problems": problems, "simulated": False}
    write_manifest(workflow.results / "index" / f"{cohort}.parquet", manifest, about)


def found(cohort: str, i: int) -> Found:
    """Return recording number `i`, the n-th night of somebody."""
    name = f"{cohort}-{200000 + i}"
    columns = {"nsrrid": i, "visit": 1, "age_s1": 40.0 + i % 50, "gender": i % 2, "ahi_a0h3": 0.5 * (i % 60)}
    return Found(
        recording=name,
        person=f"{cohort}-p{i // 2}",
        visit=str(1 + i % 2),
        signal_path=f"polysomnography/edfs/{name}.edf",
        annotation_paths=(f"polysomnography/annotations-events-nsrr/{name}-nsrr.xml",),
        age_y=40.0 + i % 50,
        sex="female" if i % 2 else "male",
        ahi_per_h=0.5 * (i % 60),
        source_columns=columns,
    )


def start(workflow: Workflow, *arguments: str) -> Planned:
    """Run Snakemake to its end."""
    before, peak_mb = time.monotonic(), 0.0
    log = workflow.folder / "snakemake.log"
    with log.open("w") as out:
        process = subprocess.Popen(workflow.command(*arguments), cwd=workflow.folder, stdout=out, stderr=out)
        while process.poll() is None:
            peak_mb = max(peak_mb, peak_of(process.pid))
            time.sleep(0.05)
    wall_s, text = time.monotonic() - before, log.read_text()
    if process.returncode:
        raise AssertionError(text[-4000:])
    outputs = [path for line in re.findall(r"^    output: (.*)$", text, re.M) for path in line.split(", ")]
    return Planned(wall_s, peak_mb, jobs_of(text), outputs)


def peak_of(pid: int) -> float:
    """Return the largest memory that a process has held so far, MB; not getrusage, which counts who forked it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def jobs_of(log: str) -> dict[str, int]:
    """Return {rule: jobs} of the first table of jobs in Snakemake's output."""
    lines = log.splitlines()
    if "Job stats:" not in lines:
        return {}
    table = lines[lines.index("Job stats:") + 3 :]
    rows = (line.split() for line in table[: table.index("")])
    return {name: int(count) for name, count in rows if name not in ("total", "all")}


def pretend_done(workflow: Workflow, planned: Planned) -> None:
    """Make every planned output, empty, and have Snakemake note it as its own."""
    for name in planned.outputs:
        path = workflow.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    start(workflow, "--touch", "--forceall")


def job_start_s(workflow: Workflow, rule: str, **wildcards: str) -> float:
    """Return what a cluster's job takes to be planned by its own Snakemake, which does so twice, s."""
    job = f"{rule}:{','.join(f'{name}={value}' for name, value in wildcards.items())}"
    alone = ("--allowed-rules", rule, "--mode", "remote", "--force", "--nolock", "--ignore-incomplete", "-n")
    return start(workflow, "--target-jobs", job, *alone).wall_s


def first_job_s(workflow: Workflow) -> float:
    """Return the time from the start of a real run to its first job, s; nothing else of it is run."""
    before = time.monotonic()
    process = subprocess.Popen(
        workflow.command(), cwd=workflow.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if re.match(r"(local)?rule \w+:", line):
                return time.monotonic() - before
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        subprocess.run(workflow.command("--unlock"), cwd=workflow.folder, check=True, capture_output=True)
    raise AssertionError("Snakemake ended without a job")

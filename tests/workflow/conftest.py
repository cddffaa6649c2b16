"""The whole workflow on a few short simulated nights, run once and shared."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from hypnoflow.cohorts import cohorts

ROOT = Path(__file__).parents[2]
SMALL = {
    "science": {
        "seed": 5,
        "cohorts": {
            **dict.fromkeys(cohorts.names()),  # null leaves out what the shipped config simulates
            "sedf-sc": {"persons": 5, "repeat_persons": 0.3},
            "shhs": {"persons": 5},
            "dodh": {"persons": 1, "held_out": True, "night_h": 0.25},
        },
        "simulate": {"night_h": 0.5},
        "index": {"shard_size": 4},
        "train": {
            "max_rounds": 1,
            "updates_per_round": 3,
            "window_epochs": 7,
            "batch_size": 2,
        },
        "models": {"anysleep": {"options": {"complexity": 0.1, "depth": 6}}},
        "predict": {
            "targets": ["age", "sex", "apnea_15"],
            "folds": 2,
            "inner_folds": 2,
            "repeats": 1,
            "trees": 10,
            "forests": {"forests": 1, "trees": 10},
            "compare": {
                "resampling": {"bootstrap": 100, "permutations": 100},
                "curve_sizes": 2,
                "curve_draws": 1,
                "shuffles": 1,
            },
        },
    },
    "run": {"threads": 1},
}


@dataclass
class Workflow:
    """A working copy of the repository's workflow files in a folder of its own."""

    folder: Path
    config: dict = field(default_factory=dict)
    cluster: dict[str, str] = field(default_factory=dict)  # the environment that finds a Slurm

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user; the package is the copy in this folder."""
        return {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(self.folder / "src"), **self.cluster}

    def command(self, *arguments: str) -> list[str]:
        (self.folder / "small.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False))
        snakemake = Path(sys.executable).parent / "snakemake"
        where = ["--profile", "slurm"] if self.cluster else ["--cores", "2"]
        return [str(snakemake), *where, "--configfile", "small.yaml", *arguments]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Snakemake as a user would; its output is in `stdout`."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )
        if check and done.returncode:
            raise AssertionError(done.stdout[-4000:])
        return done

    def planned(self) -> dict[str, int]:
        """Return {rule: number of jobs} of a dry run, empty where there is nothing to do."""
        lines = self.run("-n").stdout.splitlines()
        if "Job stats:" not in lines:
            return {}
        table = lines[lines.index("Job stats:") + 3 :]
        rows = (line.split() for line in table[: table.index("")])
        return {name: int(count) for name, count in rows if name not in ("total", "all")}


def make_workflow(folder: Path) -> Workflow:
    """Copy what the workflow is made of, the package included."""
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "workflow", folder / "workflow", symlinks=True)
    shutil.copytree(ROOT / "envs", folder / "envs")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (folder / "profiles").symlink_to("workflow/profiles")
    (folder / "slurm").symlink_to("workflow/profiles/slurm")
    return Workflow(folder, yaml.safe_load(yaml.safe_dump(SMALL)))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A workflow that ran to its end once; tests must leave its results as they are."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker runs it, and each has a copy
        if not (shared / "done").exists():
            shutil.rmtree(shared, ignore_errors=True)
            shared.mkdir()
            make_workflow(shared).run()
            (shared / "done").touch()
    return _copied(shared, tmp_path_factory.mktemp("workflow") / "copy")


def _copied(folder: Path, to: Path) -> Workflow:
    shutil.copytree(folder, to, symlinks=True)
    return Workflow(to, yaml.safe_load(yaml.safe_dump(SMALL)))


@pytest.fixture
def copy_of_finished(finished: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished workflow, to change."""
    return _copied(finished.folder, tmp_path / "copy")

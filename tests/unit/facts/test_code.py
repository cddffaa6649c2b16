"""What reruns a stage is the code that it runs, no more and no less."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hypnoflow.cohorts import cohorts
from hypnoflow.facts import code
from hypnoflow.facts.code import APART, DOORS, PACKAGE, code_of, files_of
from hypnoflow.models import models

NETWORKS = ("train", "score", "subsets")  # stages that build one
COHORTS = ("simulate", "index", "harmonize")  # stages of one cohort
RUNS = [
    *((stage, None, None) for stage in DOORS),
    *((stage, model, None) for stage in NETWORKS for model in models.names()),
    *((stage, None, cohort) for stage in COHORTS for cohort in ("shhs", "dcsm")),
]
IMPORTED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "hypnoflow" and m.__file__]))
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package to edit."""
    copy = Path(shutil.copytree(PACKAGE, tmp_path / "hypnoflow", ignore=shutil.ignore_patterns("__pycache__")))
    monkeypatch.setattr(code, "PACKAGE", copy)
    forget()
    yield copy
    monkeypatch.undo()
    forget()


def forget() -> None:
    for cached in (files_of, code._imports, code._modules, code._package_data, code._hash):
        cached.cache_clear()


def rerun_by(package: Path, name: str, text: str = "\n# edited\n") -> set[tuple[str, str | None, str | None]]:
    """Return what is run again when `text` is added to a file."""
    before = {run: code_of(*run) for run in RUNS}
    path = package / name
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + text)
    forget()
    return {run for run in RUNS if code_of(*run) != before[run]}


@pytest.mark.parametrize("stage", list(DOORS))
def test_all_that_a_job_imports_decides_its_hash(stage):
    """Python itself says what is imported; what is set apart is named, with a reason."""
    door = "hypnoflow." + DOORS[stage].removesuffix(".py").replace("/", ".")
    more = ["hypnoflow.models.anysleep"] if stage in NETWORKS else []
    said = subprocess.run([sys.executable, "-c", IMPORTED, door, *more], capture_output=True, check=True, text=True)
    imported = {Path(path).relative_to(PACKAGE).as_posix() for path in json.loads(said.stdout)}
    apart = {name for name in imported if name in APART or name.split("/")[0] in APART}
    counted = {path.relative_to(PACKAGE).as_posix() for path in files_of(stage, "anysleep" if more else None)}
    # The schema joins all sections; which of them a stage reads, the next test says.
    assert {name for name in imported - apart if not name.startswith("config/")} <= counted


@pytest.mark.parametrize(
    "name",
    [
        "models/another_network.py",
        "models/a_family/member.py",
        "cohorts/another_cohort.py",
        "download/client.py",
        "export/luna.py",
        "facts/provenance.py",
        "facts/progress.py",
        "data/to_mne.py",
        "head/start.py",
        "cli.py",
        "errors.py",
    ],
)
def test_what_no_stage_computes_with_reruns_nothing(package, name):
    assert rerun_by(package, name) == set()


def test_one_network_reruns_what_builds_it(package):
    assert rerun_by(package, "models/usleep.py") == {(stage, "usleep", None) for stage in NETWORKS}


def test_what_networks_share_reruns_those_that_have_it(package):
    found = rerun_by(package, "models/parts/blocks.py")
    assert {(stage, model) for stage, model, _ in found if model} == {
        (s, m)
        for s in NETWORKS
        for m in models.names()
        if m != "ulw-sleepnet"  # which is built of none of it
    }


def test_one_cohort_reruns_its_own_jobs(package):
    assert rerun_by(package, "cohorts/shhs.py") == {("index", None, "shhs"), ("harmonize", None, "shhs")}
    assert rerun_by(package, "simulate/dialects/dcsm.py") == {("simulate", None, "dcsm")}


def test_a_cohorts_row_of_a_table_reruns_its_own_jobs(package):
    assert "shhs" in cohorts.names()
    found = rerun_by(package, "cohorts/fixes.csv", "shhs,shhs1-200001,exclude,,a reason\n")
    assert found >= {("index", None, "shhs")}
    assert not [run for run in found if run[2] not in ("shhs", None)]


@pytest.mark.parametrize(
    "section, stages",
    [
        ("simulate", {"simulate"}),
        ("harmonize", {"harmonize"}),
        ("split", {"split"}),
        ("train", {"train"}),
        ("features", {"features", "agreement"}),  # which intrusions are compared with arousals
        ("predict", {"predict"}),
    ],
)
def test_the_options_of_a_stage_rerun_who_reads_them(package, section, stages):
    assert {stage for stage, _, _ in rerun_by(package, f"config/{section}.py")} == stages


def test_a_statistic_reruns_who_computes_it(package):
    assert {stage for stage, _, _ in rerun_by(package, "stats/paired.py")} == {
        "evaluate",
        "compare",
        "predict",
        "report",
    }


def test_a_reader_of_files_reruns_who_reads_them(package):
    found = {stage for stage, _, _ in rerun_by(package, "native/edf.py")}
    assert {"index", "harmonize"} <= found
    assert not found & {"train", "evaluate", "features", "predict", "split"}


def test_names_that_only_types_need_are_not_run(package):
    (package / "facts").mkdir(exist_ok=True)
    (package / "index" / "job.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from hypnoflow.report.page import render\n"
    )
    forget()
    assert package / "report" / "page.py" not in files_of("index")

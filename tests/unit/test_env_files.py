"""Conda's files and the container's definition carry what the pip lock carries, read here without our own generator."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from hypnoflow.cli_tools import config_files
from hypnoflow.env_files import conda_yaml
from hypnoflow.errors import ConfigError

ROOT = Path(__file__).parents[2]
ENVS = ROOT / "envs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Packages of conda-forge and bioconda whose names are not PyPI's.
PYPI = {"matplotlib-base": "matplotlib", "mne-base": "mne", "pytorch": "torch", "snakemake-minimal": "snakemake"}
LOCK = """\
# made by hand on Python 3.12
torch==2.9.1
PyYAML==6.0.3
typing_extensions==4.15.0
"""
SMALL_PROJECT = """\
[project]
dependencies = ["torch[extra]>=2.5", "pyyaml"]
optional-dependencies = { test = ["pytest"] }
"""


def requirements() -> dict[str, Requirement]:
    found = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    return {canonicalize_name(each.name): each for each in found}


def locked() -> dict[str, str]:
    """Return {name: version} of the lock, whose every line is an exact pin or a comment."""
    lines = [line.strip() for line in (ENVS / "requirements.txt").read_text().splitlines()]
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"==[^*,]+", str(pin.specifier)) for pin in pins)
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


def in_conda() -> dict[str, str]:
    """Return {PyPI's name: version} of what the conda file names besides Python and pip."""
    entries = yaml.safe_load((ENVS / "hypnoflow.yaml").read_text())["dependencies"]
    pairs = [
        re.fullmatch(r"(\S+) ==(\S+)", entry) for entry in entries if entry.partition(" ")[0] not in ("python", "pip")
    ]
    assert all(pairs)
    return {PYPI.get(pair[1], pair[1]): pair[2] for pair in pairs if pair}


def pythons() -> dict[str, str]:
    """Return the version of Python, as 3.11, that each file names."""
    first_line = (ENVS / "requirements.txt").read_text().splitlines()[0]
    tag = re.search(r"^From: python:(\S+)$", (ENVS / "hypnoflow.def").read_text(), re.MULTILINE)
    found = {"lock": re.search(r"Python ([\d.]*\d)", first_line)[1], "container": ".".join(tag[1].split(".")[:2])}
    for name in ("hypnoflow.yaml", "hypnoflow-pip.yaml"):
        entries = yaml.safe_load((ENVS / name).read_text())["dependencies"]
        found[name] = next(entry for entry in entries if str(entry).startswith("python ")).removeprefix("python =")
    return found


def test_conda_has_every_direct_dependency_and_nothing_else_at_the_version_of_the_lock():
    lock = locked()
    assert set(requirements()) <= set(lock)
    assert in_conda() == {name: lock[name] for name in requirements()}


def test_the_lock_fits_the_bounds_of_the_project():
    lock = locked()
    assert [name for name, each in requirements().items() if not each.specifier.contains(lock[name])] == []


def test_all_files_are_for_one_python_which_the_project_allows():
    (python,) = set(pythons().values())
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(f"{python}.0")


def test_the_other_conda_file_takes_everything_from_the_lock_beside_it():
    entries = yaml.safe_load((ENVS / "hypnoflow-pip.yaml").read_text())["dependencies"]
    assert entries[1:] == ["pip", {"pip": ["-r requirements.txt"]}]
    assert (ENVS / "requirements.txt").is_file()


def test_names_are_translated_extras_dropped_and_only_direct_dependencies_named():
    found = yaml.safe_load(conda_yaml(LOCK, SMALL_PROJECT))
    assert found["dependencies"] == ["pip", "python =3.12", "pytorch ==2.9.1", "pyyaml ==6.0.3"]


def test_a_dependency_that_the_lock_does_not_pin_is_named():
    with pytest.raises(ConfigError, match="pins no version of rich, which pyproject.toml requires"):
        conda_yaml(LOCK, SMALL_PROJECT.replace('"pyyaml"', '"rich>=13"'))


def test_a_lock_that_names_no_python_is_refused():
    with pytest.raises(ConfigError, match="for which Python"):
        conda_yaml(LOCK.replace("Python 3.12", "a machine"), SMALL_PROJECT)


@pytest.mark.parametrize("edited", ["requirements.txt", "hypnoflow.yaml"])
def test_the_check_fails_when_either_file_is_edited_alone(edited, tmp_path):
    (tmp_path / "workflow" / "schemas").mkdir(parents=True)
    (tmp_path / "envs").mkdir()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "envs" / "requirements.txt").write_text((ENVS / "requirements.txt").read_text())
    config_files(check=False, folder=tmp_path)
    config_files(check=True, folder=tmp_path)
    path = tmp_path / "envs" / edited
    path.write_text(re.sub(r"(numpy ?==)\S+", r"\g<1>2.0.1", path.read_text()))
    with pytest.raises(ConfigError, match=r"hypnoflow\.yaml is not what the lock generates; run `hypnoflow config`"):
        config_files(check=True, folder=tmp_path)


def sections() -> dict[str, list[str]]:
    """Return the lines of each section of the container's definition, without comments."""
    parts = re.split(r"^%(\w+)\n", (ENVS / "hypnoflow.def").read_text(), flags=re.MULTILINE)[1:]
    stripped = ([line.strip() for line in text.splitlines()] for text in parts[1::2])
    return {name: [s for s in lines if s and s[0] != "#"] for name, lines in zip(parts[::2], stripped, strict=True)}


def test_the_container_installs_exactly_the_lock_and_then_the_package_alone():
    words = [shlex.split(line) for line in sections()["post"]]
    pip = [[word for word in each[4:] if word not in ("--no-cache-dir", "--disable-pip-version-check")]
           for each in words if each[:4] == ["python", "-m", "pip", "install"]]  # fmt: skip
    assert pip == [["-r", "/opt/hypnoflow/envs/requirements.txt"], ["--no-deps", "/opt/hypnoflow"]]
    assert sections()["post"][0] == "set -eu"


def test_the_container_gets_the_files_that_its_steps_and_the_build_of_the_package_need():
    copied = dict(line.split() for line in sections()["files"])
    assert all((ROOT / source).exists() for source in copied)
    assert all(target == f"/opt/hypnoflow/{source}" for source, target in copied.items())
    project, found = PROJECT["project"], PROJECT["tool"]["setuptools"]["packages"]["find"]["where"]
    needed = {"pyproject.toml", "envs/requirements.txt", project["readme"], *project["license-files"], *found}
    assert set(copied) == needed


def test_the_container_hides_the_users_own_packages_and_is_tested_when_it_is_built():
    assert "export PYTHONNOUSERSITE=1" in sections()["environment"]
    assert "python -m pip check" in sections()["test"]


def test_sdm_conda_puts_the_checkout_into_its_environment_and_refuses_to_run_elsewhere(tmp_path):
    script = ENVS / "hypnoflow.post-deploy.sh"  # Snakemake's name for what goes with hypnoflow.yaml
    done = subprocess.run(["bash", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "not the root of hypnoflow's repository" in done.stderr
    assert "--no-deps --editable ." in script.read_text()

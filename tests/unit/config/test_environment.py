"""Conda's files and the container's definition carry what the pip lock carries, read here without our own generator."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from hypnoflow.config.environment import conda_yaml
from hypnoflow.config.files import write_files
from hypnoflow.errors import ConfigError

ROOT = Path(__file__).parents[3]
ENVS = ROOT / "envs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Packages of conda-forge and bioconda whose names are not PyPI's.
BUILDERS = ("python", "pip", "setuptools")
PYPI = {"matplotlib-base": "matplotlib", "mne-base": "mne", "pytorch": "torch", "snakemake-minimal": "snakemake"}
LOCKS = ("bootstrap.txt", "torch-cpu.txt", "requirements.txt", "cuda.txt", "audit.txt")
LOCK = f"""\
# made by hand on Python 3.12
-c cuda.txt
torch==2.9.1 \\
    --hash=sha256:{"0" * 64} \\
    --hash=sha256:{"1" * 64}
PyYAML==6.0.3 ; python_version < "3.15" \\
    --hash=sha256:{"2" * 64}
typing_extensions==4.15.0
"""
SMALL_PROJECT = """\
[build-system]
requires = ["setuptools>=77"]
[project]
dependencies = ["torch[extra]>=2.5", "pyyaml"]
optional-dependencies = { test = ["pytest"] }
"""


def requirements() -> dict[str, Requirement]:
    found = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    return {canonicalize_name(each.name): each for each in found}


def pins(file: str) -> list[tuple[Requirement, list[str]]]:
    """Return each requirement of a lock file with its hashes; its other lines are comments and constraints."""
    lines = (ENVS / file).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    parts = [re.split(r"\s+--hash=", line) for line in lines if line and not line.startswith(("#", "-c "))]
    return [(Requirement(pin), hashes) for pin, *hashes in parts]


def locked(*files: str) -> dict[str, str]:
    """Return {name: version} of the lock, or of other files."""
    found = [pin for file in files or ("requirements.txt",) for pin, _ in pins(file)]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in found}


def in_conda() -> dict[str, str]:
    """Return {PyPI's name: version} of what the conda file names besides Python and what installs the package."""
    entries = yaml.safe_load((ENVS / "hypnoflow.yaml").read_text(encoding="utf-8"))["dependencies"]
    pairs = [re.fullmatch(r"(\S+) ==(\S+)", entry) for entry in entries if entry.partition(" ")[0] not in BUILDERS]
    assert all(pairs)
    return {PYPI.get(pair[1], pair[1]): pair[2] for pair in pairs if pair}


def pythons() -> dict[str, str]:
    """Return the version of Python, as 3.11, that each file names."""
    first_line = (ENVS / "requirements.txt").read_text(encoding="utf-8").splitlines()[0]
    tag = re.search(r"^From: python:(\S+)$", (ENVS / "hypnoflow.def").read_text(encoding="utf-8"), re.MULTILINE)
    found = {"lock": re.search(r"Python ([\d.]*\d)", first_line)[1], "container": ".".join(tag[1].split(".")[:2])}
    for name in ("hypnoflow.yaml", "hypnoflow-pip.yaml"):
        entries = yaml.safe_load((ENVS / name).read_text(encoding="utf-8"))["dependencies"]
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


@pytest.mark.parametrize("file", LOCKS)
def test_every_version_is_exact_and_every_file_has_a_hash(file):
    found = pins(file)
    assert found
    assert [str(pin) for pin, _ in found if not re.fullmatch(r"==[^*,]+", str(pin.specifier))] == []
    assert [str(pin) for pin, hashes in found if not hashes] == []
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for _, hashes in found for each in hashes)


def test_a_package_has_one_version_whatever_file_pins_it():
    versions = {}
    for file in LOCKS:
        for name, version in locked(file).items():
            versions.setdefault(name, set()).add(version.partition("+")[0])
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_lock_has_what_the_tests_and_the_build_of_the_package_need():
    extras = [Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["test"]]
    build = [Requirement(text) for text in PROJECT["build-system"]["requires"]]
    lock = locked()
    assert [each.name for each in extras + build if canonicalize_name(each.name) not in lock] == []
    assert {canonicalize_name(each.name) for each in build} <= set(locked("bootstrap.txt"))


def test_the_lock_has_whatever_its_packages_ask_for_here():
    lock = locked("requirements.txt", "cuda.txt")
    missing = set()
    for name in lock:
        try:
            asked = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # of another Python, or torch's build with CUDA
            continue
        needed = [each for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
        missing |= {f"{name} needs {each}" for each in needed if canonicalize_name(each.name) not in lock}
    assert missing == set()


def test_make_installs_nothing_without_a_hash_but_the_package_itself():
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    installs = [line.split("$(PIP)")[1] for line in lines if "$(PIP)" in line]
    assert sum("-r envs/" in line for line in installs) == 5
    assert all("--require-hashes" in line for line in installs if "-r " in line)
    assert [line.split() for line in installs if "-r " not in line] == [
        ["--no-build-isolation", "--no-deps", "-e", "."]
    ]
    assert not any("pip install" in line for line in lines)


def test_the_other_conda_file_takes_everything_from_the_lock_beside_it_but_what_has_to_be_built():
    entries = yaml.safe_load((ENVS / "hypnoflow-pip.yaml").read_text(encoding="utf-8"))["dependencies"]
    assert entries[-1] == {"pip": ["-r requirements.txt"]}
    assert [entry.split()[0] for entry in entries[:-1]] == ["connection_pool", "pip", "python"]
    assert entries[0] == f"connection_pool =={locked()['connection-pool']}"
    assert SpecifierSet(entries[1].removeprefix("pip ")).contains(locked("bootstrap.txt")["pip"])
    assert (ENVS / "requirements.txt").is_file()


def test_names_are_translated_extras_dropped_and_only_direct_dependencies_named():
    found = yaml.safe_load(conda_yaml(LOCK, SMALL_PROJECT))
    assert found["dependencies"] == [
        "pip", "python =3.12", "pytorch ==2.9.1", "pyyaml ==6.0.3", "setuptools >=77"
    ]  # fmt: skip


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
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (tmp_path / "envs" / "requirements.txt").write_text((ENVS / "requirements.txt").read_text(encoding="utf-8"))
    write_files(tmp_path)
    write_files(tmp_path, check=True)
    path = tmp_path / "envs" / edited
    path.write_text(re.sub(r"(numpy ?==)\S+", r"\g<1>2.0.1", path.read_text(encoding="utf-8")))
    with pytest.raises(ConfigError, match=r"hypnoflow\.yaml is not what the lock generates; run `hypnoflow config`"):
        write_files(tmp_path, check=True)


def sections() -> dict[str, list[str]]:
    """Return the lines of each section of the container's definition, without comments."""
    parts = re.split(r"^%(\w+)\n", (ENVS / "hypnoflow.def").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    stripped = ([line.strip() for line in text.splitlines()] for text in parts[1::2])
    return {name: [s for s in lines if s and s[0] != "#"] for name, lines in zip(parts[::2], stripped, strict=True)}


def test_the_container_installs_exactly_the_lock_and_then_the_package_alone():
    words = [shlex.split(line) for line in sections()["post"]]
    assert ["cd", "/opt/hypnoflow"] in words
    assert [each[4:] for each in words if each[:4] == ["python", "-m", "pip", "install"]] == [
        ["--require-hashes", "-r", "envs/bootstrap.txt"],
        ["--require-hashes", "--no-build-isolation", "-r", "envs/requirements.txt"],
        ["--no-build-isolation", "--no-deps", "/opt/hypnoflow"],
    ]
    assert sections()["post"][0] == "set -eu"


def test_the_container_gets_the_files_that_its_steps_and_the_build_of_the_package_need():
    copied = dict(line.split() for line in sections()["files"])
    assert all((ROOT / source).exists() for source in copied)
    assert all(target == f"/opt/hypnoflow/{source}" for source, target in copied.items())
    project, found = PROJECT["project"], PROJECT["tool"]["setuptools"]["packages"]["find"]["where"]
    locks = {f"envs/{name}" for name in ("bootstrap.txt", "requirements.txt", "cuda.txt")}
    needed = {"pyproject.toml", *locks, project["readme"], *project["license-files"], *found}
    assert set(copied) == needed


def test_the_container_hides_the_users_own_packages_and_is_tested_when_it_is_built():
    assert "export PYTHONNOUSERSITE=1" in sections()["environment"]
    assert "python -m pip check" in sections()["test"]


def test_sdm_conda_puts_the_checkout_into_its_environment_and_refuses_to_run_elsewhere(tmp_path):
    script = ENVS / "hypnoflow.post-deploy.sh"  # Snakemake's name for what goes with hypnoflow.yaml
    done = subprocess.run(["bash", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "not the root of hypnoflow's repository" in done.stderr
    assert "--no-build-isolation --no-deps --editable ." in script.read_text(encoding="utf-8")

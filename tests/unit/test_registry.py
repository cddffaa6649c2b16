"""Tables of things by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hypnoflow.cohorts
import hypnoflow.models
from hypnoflow.cohorts import cohorts
from hypnoflow.errors import ConfigError
from hypnoflow.models import models
from hypnoflow.registry import Functions

HELPERS = {"contract"}


def files_of(package) -> list[str]:
    folder = Path(package.__file__).parent
    return sorted(p.stem.replace("_", "-") for p in folder.glob("[a-z]*.py") if p.stem not in HELPERS)


@pytest.mark.parametrize("registry, package", [(cohorts, hypnoflow.cohorts), (models, hypnoflow.models)])
def test_modules_lists_one_name_per_public_file(registry, package):
    assert registry.names() == files_of(package)
    assert registry.names()


def test_cohort_carries_the_name_of_its_file():
    assert [cohorts.get(name).name for name in cohorts.names()] == cohorts.names()


def test_unknown_name_is_refused_with_the_closest_and_all_known_names():
    with pytest.raises(ConfigError, match="unknown cohort 'shss'; did you mean 'shhs'") as caught:
        cohorts.get("shss")
    assert all(name in str(caught.value) for name in cohorts.names())


def test_name_unlike_any_gets_no_suggestion():
    with pytest.raises(ConfigError) as caught:
        cohorts.check("zzzzzz")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("name", ["_base", "-base", "../models", "", "names"])
def test_helper_modules_and_paths_are_no_names(name):
    with pytest.raises(ConfigError):
        cohorts.check(name)


def test_names_of_models_are_listed_without_importing_torch():
    code = "import sys; from hypnoflow.models import models; models.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_functions_keep_the_order_of_registration():
    table: Functions = Functions("thing")
    for name in ("b", "a", "c"):
        table.register(name)(name.upper())
    assert table.names() == ["b", "a", "c"]
    assert list(table) == [("b", "B"), ("a", "A"), ("c", "C")]
    assert table.get("a") == "A"


def test_decorator_returns_what_it_decorates():
    table: Functions = Functions("thing")

    @table.register("f")
    def f() -> int:
        return 3

    assert f() == 3
    assert table.get("f") is f


def test_second_registration_of_a_name_is_refused():
    table: Functions = Functions("thing")
    table.register("a")(1)
    with pytest.raises(ValueError, match="thing 'a' is registered twice"):
        table.register("a")(2)
    assert table.get("a") == 1


def test_unknown_function_is_refused_with_the_closest():
    table: Functions = Functions("thing")
    table.register("triplets")(1)
    with pytest.raises(ConfigError, match="unknown thing 'triplet'; did you mean 'triplets'"):
        table.get("triplet")

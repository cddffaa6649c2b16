"""One file per network, which binds MODEL to a class that keeps `hypnoflow.models.contract`.

Whoever trains or scores comes by here, and processes that are started from here inherit it: MKL, which multiplies
matrices for torch, is asked for results that do not depend on where in memory an operand lies, on cache sizes as found
at start, or on which thread is done first. It looks when it first multiplies. A setting of the user's own stands.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hypnoflow.config.section import parse_section
from hypnoflow.models._declared import Declared, declared
from hypnoflow.registry import Modules

if TYPE_CHECKING:  # names can be listed, and a config checked, without importing torch
    from hypnoflow.models.contract import Trainable

os.environ.setdefault("MKL_CBWR", "AUTO")

models: Modules[type[Trainable]] = Modules("network", __name__, "MODEL", ("contract", "parts"))


@cache
def declaration(network: str) -> Declared:
    """Return what a network declares, without importing torch; ConfigError for an unknown name."""
    models.check(network)
    path = Path(__file__).with_name(network.replace("-", "_"))
    return declared(path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py")


def lineage(network: str) -> tuple[str, ...]:
    """Return a network and all that it may start from, directly or not: what decides how it computes."""
    found = [network]
    for name in found:
        found += [base for base in declaration(name).bases if base not in found]
    return tuple(found)


def build_model(name: str, **options: object) -> Trainable:
    """Return a freshly initialised network of the published size.

    Parameters
    ----------
    name : str
        One of `models.names()`.
    **options
        Options of the network that differ from the published ones.

    Raises
    ------
    ConfigError
        For an unknown name or option.
    """
    known = declaration(name)
    return models.get(name)(parse_section(known.options, {**known.published, **options}, f"network {name}"))

"""One file per network: (batch, channel, sample) at 128 Hz → logits (batch, step, stage) at any resolution.

Whoever trains or scores comes by here, and processes that are started from here inherit it: MKL, which multiplies
matrices for torch, is asked for results that do not depend on where in memory an operand lies, on cache sizes as found
at start, or on which thread is done first. It looks when it first multiplies. A setting of the user's own stands.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypnoflow.registry import Modules

if TYPE_CHECKING:  # names can be listed, and a config checked, without importing torch
    from hypnoflow.models.contract import StagingModel

os.environ.setdefault("MKL_CBWR", "AUTO")

models: Modules[type[StagingModel]] = Modules("model", __name__, "MODEL", ("contract", "parts"))


def build_model(name: str, **options: object) -> StagingModel:
    """Return a freshly initialised network.

    Parameters
    ----------
    name : str
        One of `models.names()`.
    **options
        Fields of `hypnoflow.config.schema.Network`; the published size where none is given.

    Raises
    ------
    ConfigError
        For an unknown name or option.
    """
    from hypnoflow.config.section import parse_section
    from hypnoflow.config.train import Network

    published = {"depth": 12, "first_filters": 5, "complexity": 1.67, "attention_hidden": 40}
    return models.get(name)(parse_section(Network, {**published, **options}, f"model {name}"))

"""One file per network: (batch, channel, sample) at 128 Hz → logits (batch, step, stage) at any resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypnoflow.registry import Modules

if TYPE_CHECKING:  # names can be listed, and a config checked, without importing torch
    from hypnoflow.models._base import StagingModel

models: Modules[type[StagingModel]] = Modules("model", __name__, "MODEL")


def build_model(name: str, **options: object) -> StagingModel:
    """Return a freshly initialised network.

    Parameters
    ----------
    name : str
        One of `models.names()`.
    **options
        Fields of `hypnoflow.config.Network`; the published size where none is given.

    Raises
    ------
    ConfigError
        For an unknown name or option.
    """
    from hypnoflow.config import Network, parse_section

    published = {"depth": 12, "first_filters": 5, "complexity": 1.67, "attention_hidden": 40}
    return models.get(name)(parse_section(Network, {**published, **options}, f"model {name}"))

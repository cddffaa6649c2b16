"""One file per network: (batch, channel, sample) at 128 Hz → logits (batch, step, stage) at any resolution.

Whoever trains or scores comes by here, and processes that are started from here inherit it: MKL, which multiplies
matrices for torch, is asked for results that do not depend on where in memory an operand lies, on cache sizes as found
at start, or on which thread is done first. It looks when it first multiplies. A setting of the user's own stands.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hypnoflow.registry import Modules

if TYPE_CHECKING:  # names can be listed, and a config checked, without importing torch
    from hypnoflow.models._base import StagingModel

os.environ.setdefault("MKL_CBWR", "AUTO")

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


def load_published(name_or_path: str | Path) -> StagingModel:
    """Return one of the networks that AnySleep's authors published, in evaluation mode.

    Parameters
    ----------
    name_or_path : str or Path
        A name of `hypnoflow weights list`, such as anysleep-run1, which is downloaded once; or a file's path.

    Returns
    -------
    StagingModel
        AnySleep, with early or late fusion or as published, or U-Sleep, by the file's tensors. It expects signals as
        this package harmonizes them with ``clip_iqr`` 20, EEG before EOG for U-Sleep.

    Raises
    ------
    ConfigError
        For an unknown name.
    CheckpointError
        If the file cannot be had, or is not a published one: another format, network or size, cut off, a Git-LFS
        pointer, a web page, a pickle with code in it, which is not run.
    """
    from hypnoflow.models._published import load_published as load

    return load(name_or_path)

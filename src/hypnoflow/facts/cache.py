"""The folder in which downloads are kept for good."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

CACHE_VARIABLE = "HYPNOFLOW_CACHE"


def cache_folder() -> Path:
    """Return the folder named by the environment variable HYPNOFLOW_CACHE, else the system's place for such."""
    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("hypnoflow"))

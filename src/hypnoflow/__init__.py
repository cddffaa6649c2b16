"""hypnoflow: polysomnography from many cohorts, scored at any resolution and compared fairly with 30 s.

`open_recording` and `open_cohort` read harmonized stores, see docs/reading.md. They are imported when first used, so
that the package itself imports at once.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("hypnoflow")
__all__ = ["__version__", "open_cohort", "open_recording"]

_LAZY = {"open_recording": "hypnoflow.data.accessor", "open_cohort": "hypnoflow.data.cohort"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'hypnoflow' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_LAZY]

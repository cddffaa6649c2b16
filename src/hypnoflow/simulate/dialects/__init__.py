"""One file per cohort: how its recordings look on disk, written with libraries and never with our own readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypnoflow.registry import Modules

if TYPE_CHECKING:  # names can be listed, and a config checked, without importing what simulates
    from hypnoflow.simulate.dialect import Dialect

dialects: Modules[Dialect] = Modules("simulator dialect", __name__, "DIALECT")

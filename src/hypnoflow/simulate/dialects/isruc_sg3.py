"""ISRUC-Sleep, subgroup III: healthy volunteers."""

from __future__ import annotations

from hypnoflow.simulate.dialects._isruc import Isruc
from hypnoflow.simulate.persons import Population

VARIANTS = {"M1 M2": 0.3, "numbered boxes": 0.2}

DIALECT = Isruc("III", Population((30, 58), 0.9, 1.5, 0.5), VARIANTS)

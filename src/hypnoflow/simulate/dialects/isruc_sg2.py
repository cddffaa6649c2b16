"""ISRUC-Sleep, subgroup II: treated patients, two sessions, demographics on the first alone."""

from __future__ import annotations

from hypnoflow.simulate.dialects._isruc import Isruc
from hypnoflow.simulate.persons import Population

VARIANTS = {"M1 M2": 0.3, "numbered boxes": 0.2}

DIALECT = Isruc("II", Population((26, 79), 0.75, 14.0, 0.8), VARIANTS, two_sessions=True)

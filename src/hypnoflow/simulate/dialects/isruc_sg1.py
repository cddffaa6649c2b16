"""ISRUC-Sleep, subgroup I: adults, most with apnea; all sets of labels occur."""

from __future__ import annotations

from hypnoflow.simulate.dialects._isruc import Isruc
from hypnoflow.simulate.persons import Population

# Two of these are single records among the hundred real ones, and are drawn more often to be met at all.
VARIANTS = {"M1 M2": 0.25, "numbered boxes": 0.15, "referential": 0.1, "no frontal": 0.1}

DIALECT = Isruc("I", Population((20, 85), 0.55, 14.0, 0.8), VARIANTS)

"""Dreem Open Data, healthy: twelve derivations."""

from __future__ import annotations

from hypnoflow.simulate.dialects._dod import Dod
from hypnoflow.simulate.persons import Population

EEG = (
    "C3_M2", "F4_M1", "F3_F4", "F3_M2", "F4_O2", "F3_O1", "FP1_F3", "FP1_M2", "FP1_O1", "FP2_F4", "FP2_M1", "FP2_O2"
)  # fmt: skip
UNSCORED_SHARE = (0.012, 0.006, 0.004, 0.0, 0.004)  # scorers differ in how often they give up

DIALECT = Dod("dodh", Population((18, 65), 0.75, 1.0, 0.5), EEG, UNSCORED_SHARE)

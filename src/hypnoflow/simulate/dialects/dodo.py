"""Dreem Open Data, sleep apnea: eight derivations, and scorers who leave more undecided than the healthy part's."""

from __future__ import annotations

from hypnoflow.simulate.dialects._dod import Dod
from hypnoflow.simulate.persons import Population

EEG = ("C3_M2", "C4_M1", "F3_F4", "F3_M2", "F4_O2", "F3_O1", "O1_M2", "O2_M1")
UNSCORED_SHARE = (0.003, 0.05, 0.002, 0.11, 0.10)  # of about 58,000 epochs each: 187, 2932, 88, 6401 and 6102

DIALECT = Dod("dodo", Population((20, 75), 0.64, 18.0, 0.7), EEG, UNSCORED_SHARE)

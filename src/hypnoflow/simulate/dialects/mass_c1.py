"""MASS, SS1: older adults; the reference differs between recordings, never inside one."""

from __future__ import annotations

from hypnoflow.simulate.dialects._mass import Mass
from hypnoflow.simulate.persons import Population

ELECTRODES = (
    "F3", "F4", "C3", "C4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "P3", "P4", "Fz", "Cz", "Pz", "A2",
    "Fp1", "Fp2",
)  # fmt: skip

DIALECT = Mass(1, tuple(range(1, 54)), Population((55, 76), 0.64, 4.0, 0.7), ELECTRODES, 0.78)

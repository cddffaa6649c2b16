"""MASS, SS3: adults of 20 to 69, all against ears linked by resistors."""

from __future__ import annotations

from hypnoflow.simulate.dialects._mass import Mass
from hypnoflow.simulate.persons import Population

NUMBERS = tuple(number for number in range(1, 65) if number not in (43, 49))
ELECTRODES = (
    "Fp1", "Fp2", "F7", "F8", "F3", "F4", "T3", "T4", "C3", "C4", "T5", "T6", "P3", "P4", "O1", "O2", "Fz", "Cz",
    "Pz", "Oz", "A2",
)  # fmt: skip

DIALECT = Mass(3, NUMBERS, Population((20, 69), 0.47, 2.0, 0.7), ELECTRODES, 0.0)

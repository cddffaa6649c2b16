"""Dreem Open Datasets, healthy: 25 nights of 25 adults, each scored by five experts.

On disk: <uuid>.h5, and scorers/dodh/scorer_{1..5}/<uuid>.json from the dreem-learning-evaluation repository
Quirks : everything already derived, at 250 Hz; nothing is published about a person; without the scorers' files
         the consensus inside the HDF5 is taken.
"""

from hypnoflow.cohorts.layouts.dod import dod_cohort

COHORT = dod_cohort(
    "dodh",
    (
        "C3_M2", "F4_M1", "F3_F4", "F3_M2", "F4_O2", "F3_O1",
        "FP1_F3", "FP1_M2", "FP1_O1", "FP2_F4", "FP2_M1", "FP2_O2",
    ),
)  # fmt: skip

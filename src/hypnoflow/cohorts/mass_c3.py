"""Montreal Archive of Sleep Studies, subset 3: 62 nights of 62 people of 20 to 69 years.

On disk: "01-03-NNNN PSG.edf" + "01-03-NNNN Base.edf" (stages) + "01-03-NNNN Annotations.edf" (events)
Quirks : as subset 1; the reference is LER throughout.
"""

from hypnoflow.cohorts.layouts.mass import mass_cohort

COHORT = mass_cohort(
    "mass-c3",
    "01-03",
    (
        "Fp1", "Fp2", "F3", "F4", "F7", "F8", "Fz", "C3", "C4", "Cz",
        "T3", "T4", "T5", "T6", "P3", "P4", "Pz", "O1", "O2", "Oz",
    ),
    ("LER",),
)  # fmt: skip

"""Montreal Archive of Sleep Studies, subset 1: 53 nights of 53 people of 55 to 76 years.

On disk: "01-01-NNNN PSG.edf" + "01-01-NNNN Base.edf" (stages) + "01-01-NNNN Annotations.edf" (events)
Quirks : the first stage lies 1 to 30 s into the recording: what is before it is cut; pages are about 30.002 s long; the
         reference is CLE or LER, fixed within a recording; arousals may overlap; ECG is inverted in part.
"""

from hypnoflow.cohorts.layouts.mass import mass_cohort

COHORT = mass_cohort(
    "mass-c1",
    "01-01",
    (
        "Fp1", "Fp2", "F3", "F4", "F7", "F8", "Fz", "C3", "C4", "Cz",
        "T3", "T4", "T5", "T6", "P3", "P4", "Pz", "O1", "O2",
    ),
    ("CLE", "LER"),
)  # fmt: skip

"""Dreem Open Datasets, obstructive: 55 nights of 55 patients with sleep apnea, each scored by five experts.

On disk: <uuid>.h5, and scorers/dodo/scorer_{1..5}/<uuid>.json from the dreem-learning-evaluation repository
Quirks : as dodh, with eight derivations; how much stays unscored depends on the scorer; apnea is the reason for
         inclusion, but no event is published.
"""

from hypnoflow.cohorts.layouts.dod import dod_cohort

COHORT = dod_cohort("dodo", ("C3_M2", "C4_M1", "F3_F4", "F3_M2", "F4_O2", "F3_O1", "O1_M2", "O2_M1"))

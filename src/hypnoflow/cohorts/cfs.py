"""Cleveland Family Study, visit 5 (NSRR): 730 laboratory nights of relatives, from children to the old.

On disk: polysomnography/edfs/cfs-visit5-NNNNNN.edf or cfs-visit5-NNNNNN-famIDXXX.edf + XML of the same stem
         + datasets/cfs-visit5-harmonized-dataset-*.csv and cfs-visit5-dataset-*.csv (column familyi)
Quirks : relatives must not meet across splits, so a family is one group; two exporters with other rates for the same
         labels, and A1/A2 or M1/M2; electrodes against Fpz; "Unsure" is a hypopnea of more than 50 %.
"""

from hypnoflow.cohorts.layouts.channels import CLEVELAND
from hypnoflow.cohorts.layouts.nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "cfs",
    Layout(
        stem=r"cfs-visit5-(?P<person>\d+)(-(?P<family>famID.+))?",
        tables=("cfs-visit5-harmonized-dataset*.csv",),
        families=("cfs-visit5-dataset*.csv", "familyi"),
    ),
    CLEVELAND,
)

"""Cleveland Children's Sleep and Health Study (NSRR): 515 laboratory nights of adolescents of about 17 years.

On disk: polysomnography/edfs/ccshs-trec-NNNNNNN.edf + XML of the same stem + datasets/ccshs-trec-harmonized-*.csv
Quirks : electrodes against Fpz, so derivations are formed; a heart-rate signal at up to 1024 Hz beside EEG at 128.
"""

from hypnoflow.cohorts.layouts.channels import CLEVELAND
from hypnoflow.cohorts.layouts.nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "ccshs",
    Layout(stem=r"ccshs-trec-(?P<person>\d+)", tables=("ccshs-trec-harmonized*.csv",)),
    CLEVELAND,
)

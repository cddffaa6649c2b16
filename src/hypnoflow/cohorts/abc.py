"""Apnea, Bariatric surgery, and CPAP (NSRR): 132 nights of 49 obese adults with severe sleep apnea, three visits.

On disk: polysomnography/edfs/{baseline,month09,month18}/abc-VISIT-NNNNNN.edf + XML of the same stem
         + datasets/abc-baseline-harmonized-*.csv
Quirks : electrodes against Fpz, so derivations are formed; rates from 16 to 512 Hz in one file; the table knows the
         baseline only; "Unsure" is a hypopnea of more than 50 %.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.channels import EYES, SIX_EEG
from hypnoflow.cohorts.layouts.nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "abc",
    Layout(
        stem=r"abc-(?P<visit>baseline|month09|month18)-(?P<person>\d+)",
        tables=("abc-baseline-harmonized*.csv",),
        visit="visitnumber",
        visits={"baseline": ("0",), "month09": ("9",), "month18": ("18",)},
    ),
    (
        *SIX_EEG,
        *EYES,
        ChannelRule("Chin", "emg", ("Chin",), ("Chin2", "Chin3"), ("Chin1",)),
        ChannelRule("ECG", "ecg", ("ECG",), ("ECG1",), ("ECG2",)),
        ChannelRule("Airflow", "resp", ("Airflow",)),
        ChannelRule("Nasal", "resp", ("Nasal Pressure",)),
        ChannelRule("Thorax", "resp", ("Thor", "Thorax")),
        ChannelRule("Abdomen", "resp", ("Abdo", "Abdomen")),
        ChannelRule("SpO2", "resp", ("SpO2", "SaO2")),
    ),
)

"""Cleveland Family Study, visit 5 (NSRR): 730 laboratory nights of relatives, from children to the old.

On disk: polysomnography/edfs/cfs-visit5-NNNNNN.edf or cfs-visit5-NNNNNN-famIDXXX.edf + XML of the same stem
         + datasets/cfs-visit5-harmonized-dataset-*.csv and cfs-visit5-dataset-*.csv (column familyi)
Quirks : relatives must not meet across splits, so a family is one group; two exporters with other rates for the same
         labels, and A1/A2 or M1/M2; electrodes against Fpz; "Unsure" is a hypopnea of more than 50 %.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts._channels import CENTRAL, EYES
from hypnoflow.cohorts._nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "cfs",
    Layout(
        stem=r"cfs-visit5-(?P<person>\d+)(-(?P<family>famID.+))?",
        tables=("cfs-visit5-harmonized-dataset*.csv",),
        families=("cfs-visit5-dataset*.csv", "familyi"),
    ),
    (
        *CENTRAL,
        *EYES,
        ChannelRule("Chin", "emg", ("EMG",), ("EMG2", "EMG3"), ("EMG1",)),
        ChannelRule("ECG", "ecg", ("ECG",), ("ECG1",), ("ECG2",)),
        ChannelRule("Airflow", "resp", ("AIRFLOW",)),
        ChannelRule("Nasal", "resp", ("NASAL PRES", "NASAL PRESSURE")),
        ChannelRule("Thorax", "resp", ("THOR EFFORT",)),
        ChannelRule("Abdomen", "resp", ("ABDO EFFORT",)),
        ChannelRule("SpO2", "resp", ("SpO2", "SaO2")),
    ),
)

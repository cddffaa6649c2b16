"""Cleveland Children's Sleep and Health Study (NSRR): 515 laboratory nights of adolescents of about 17 years.

On disk: polysomnography/edfs/ccshs-trec-NNNNNNN.edf + XML of the same stem + datasets/ccshs-trec-harmonized-*.csv
Quirks : electrodes against Fpz, so derivations are formed; a heart-rate signal at up to 1024 Hz beside EEG at 128.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts._channels import CENTRAL, EYES
from hypnoflow.cohorts._nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "ccshs",
    Layout(stem=r"ccshs-trec-(?P<person>\d+)", tables=("ccshs-trec-harmonized*.csv",)),
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

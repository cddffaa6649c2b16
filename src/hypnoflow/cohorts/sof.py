"""Study of Osteoporotic Fractures, visit 8 (NSRR): 453 nights of women of about 83 years, at home.

On disk: polysomnography/edfs/sof-visit-8-NNNNN.edf + XML of the same stem
         + datasets/sof-visit-8-harmonized-dataset-*.csv
Quirks : electrodes against a common reference, so derivations are formed; labels with a slash (EMG/L) or a blank.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.channels import CENTRAL, EYES, referential
from hypnoflow.cohorts.layouts.nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "sof",
    Layout(stem=r"sof-visit-8-(?P<person>\d+)", tables=("sof-visit-8-harmonized-dataset*.csv",)),
    (
        *CENTRAL,
        referential("O1", "M2"),
        referential("O2", "M1"),
        *EYES,
        ChannelRule("Chin", "emg", ("L Chin-R Chin",), ("L Chin", "EMG/L"), ("R Chin", "EMG/R")),
        ChannelRule("ECG", "ecg", ("ECG", "ECG1-ECG2"), ("ECG1",), ("ECG2",)),
        ChannelRule("Airflow", "resp", ("Airflow",)),
        ChannelRule("Nasal", "resp", ("Cannula Flow", "Nasal Pressure")),
        ChannelRule("Thorax", "resp", ("Thoracic",)),
        ChannelRule("Abdomen", "resp", ("Abdominal",)),
        ChannelRule("SpO2", "resp", ("SaO2", "SpO2")),
    ),
)

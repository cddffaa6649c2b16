"""Osteoporotic Fractures in Men, sleep (NSRR): 3933 nights of men of 65 years and over, at home, two visits.

On disk: polysomnography/edfs/visitV/mros-visitV-aaNNNN.edf + XML of the same stem
         + datasets/mros-visit1-harmonized-*.csv (persons in capitals there: AA0001)
Quirks : visit 1 writes "L Chin" and A1/A2, visit 2 "LChin" and M1/M2, at other rates; six files of visit 1 hold
         finished derivations; the table knows visit 1 only; "Unsure" is a hypopnea of more than 50 %.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.channels import CENTRAL, EYES
from hypnoflow.cohorts.layouts.nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "mros",
    Layout(
        stem=r"mros-visit(?P<visit>\d)-(?P<person>[a-zA-Z]{2}\d+)",
        tables=("mros-visit1-harmonized*.csv",),
        visits={"1": ("",), "2": ()},
    ),
    (
        *CENTRAL,
        *EYES,
        ChannelRule("Chin", "emg", ("L Chin-R Chin", "LChin-RChin"), ("L Chin", "LChin"), ("R Chin", "RChin")),
        ChannelRule("ECG", "ecg", ("ECG L-ECG R", "ECGL-ECGR"), ("ECG L", "ECGL"), ("ECG R", "ECGR")),
        ChannelRule("Airflow", "resp", ("Airflow",)),
        ChannelRule("Nasal", "resp", ("Cannula Flow", "CannulaFlow")),
        ChannelRule("Thorax", "resp", ("Thoracic", "Chest")),
        ChannelRule("Abdomen", "resp", ("Abdominal", "ABD")),
        ChannelRule("SpO2", "resp", ("SaO2", "SpO2")),
    ),
)

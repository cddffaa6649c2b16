"""Childhood Adenotonsillectomy Trial (NSRR): 1637 laboratory nights of children of 5 to 10 years, two visits.

On disk: polysomnography/edfs/{baseline,followup}/chat-VISIT-NNNNNN.edf,
         edfs/nonrandomized/chat-baseline-nonrandomized-NNNNNN.edf + XML of the same stem
         + datasets/chat-harmonized-dataset-*.csv and chat-nonrandomized-dataset-*.csv
Quirks : seven makers of recorders, hence rates and spellings differ from file to file, typing errors included; most
         files are referential, some finished; here "Unsure" is a mixed apnea; the AHI columns have other names;
         who was not randomized has a table with other columns and codes, and no comparable AHI.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.channels import EYES, SIX_EEG, referential
from hypnoflow.cohorts.layouts.nsrr import Layout, OtherTable, nsrr_cohort

COHORT = nsrr_cohort(
    "chat",
    Layout(
        stem=r"chat-(?P<visit>baseline-nonrandomized|nonrandomized|baseline|followup)-(?P<person>\d+)",
        tables=("chat-harmonized-dataset*.csv",),
        visit="vnum",
        visits={
            "baseline": ("3", "1", "baseline"),
            "followup": ("10", "2", "followup"),
            "baseline-nonrandomized": ("",),
            "nonrandomized": ("",),
        },
        other=OtherTable("chat-nonrandomized-dataset*.csv", "age_nr", "ref9", {"1": "male", "2": "female"}),
        ahi="nsrr_ahi_hp3r_aasm07",
    ),
    (
        *SIX_EEG[:4],
        referential("T3", "M2"),
        referential("T4", "M1"),
        *SIX_EEG[4:],
        *EYES,
        ChannelRule("Chin", "emg", ("LChin-RChin", "Chin"), ("LChin", "RChin", "Rchiin"), ("CChin", "RChin", "Rchiin")),
        ChannelRule("ECG", "ecg", ("ECG", "EKG", "ECG1-ECG2"), ("ECG1",), ("ECG2", "ECG3")),
        ChannelRule("ECG", "ecg", ("ECG2", "ECG1", "ECG3")),
        ChannelRule("Airflow", "resp", ("Airflow", "AIR", "Airflow1", "Airlfow")),
        ChannelRule("Nasal", "resp", ("CannulaFlow", "CannnulaFlow", "CannulaFow")),
        ChannelRule("Thorax", "resp", ("Chest",)),
        ChannelRule("Abdomen", "resp", ("ABD",)),
        ChannelRule("SpO2", "resp", ("SpO2", "SaO2")),
    ),
    unsure="apnea_mixed",
)

"""HomePAP (NSRR slug homepap): 246 laboratory nights of adults at high risk of sleep apnea, full or split nights.

On disk: polysomnography/edfs/lab/{full,split}/homepap-lab-ARM-NNNNNNN.edf + XML of the same stem
         + datasets/homepap-baseline-harmonized-dataset-*.csv
Quirks : the home arm has no EEG and is not taken; seven sites, hence finished or referential channels, equal labels
         and fields that are not ASCII; the second half of a split night is under CPAP; one AHI column only.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.channels import SIX_EEG
from hypnoflow.cohorts.layouts.nsrr import Layout, nsrr_cohort

E1, E2 = ("E1", "E_1", "E-1", "LOC", "L-EOG"), ("E2", "E_2", "E-2", "ROC", "R-EOG")

COHORT = nsrr_cohort(
    "hpap",
    Layout(
        stem=r"homepap-lab-(?P<visit>full|split)-(?P<person>\d+)",
        tables=("homepap-baseline-harmonized-dataset*.csv",),
        visits={"full": ("",), "split": ("",)},
        ahi="nsrr_ahi_hp4u_aasm15",
    ),
    (
        *SIX_EEG,
        ChannelRule("E1-M2", "eog", ("E1-M2", "E_1-M2", "E1-A2"), E1, ("M2", "A2")),
        ChannelRule("E2-M1", "eog", ("E2-M1", "E_2-M1", "E2-A1"), E2, ("M1", "A1")),
        # Without a mastoid in the file: the eye against whatever the site used.
        ChannelRule("E1", "eog", E1, unless="E1-M2"),
        ChannelRule("E2", "eog", E2, unless="E2-M1"),
        ChannelRule(
            "Chin",
            "emg",
            ("LCHIN-CCHIN", "LChin-RChin", "Chin1-Chin2", "Chin2-Chin3", "Chin", "Chin EMG", "EMG Chin"),
            ("LCHIN", "RCHIN", "Rchon", "Chin2", "EMG2"),
            ("CCHIN", "RCHIN", "Rchon", "Chin1", "EMG1"),
        ),
        ChannelRule(
            "ECG",
            "ecg",
            ("ECG", "EKG", "ECG1-ECG2", "ECG1-ECG3", "ECG3-ECG1", "ECG3-ECG2"),
            ("ECG1", "EKG1", "ECG I"),
            ("ECG2", "EKG2", "ECG II", "ECG3", "EKG3"),
        ),
        ChannelRule("Airflow", "resp", ("Airflow", "AIR-flow", "Flow", "Thermistor")),
        ChannelRule(
            "Nasal",
            "resp",
            (
                *("CannulaFlow", "Cannula Flow", "CannlulaFlow", "CannualFlow"),
                *("Nasal Cannula", "CannulaNasal", "Nasal Pressure"),
            ),
        ),
        ChannelRule("Thorax", "resp", ("CHEST", "Thor", "Thorax", "Chest1")),
        ChannelRule("Abdomen", "resp", ("ABD", "Abdo", "Abdomen", "Abd2")),
        ChannelRule("SpO2", "resp", ("SpO2", "SaO2", "Sa02")),  # the last with a zero
    ),
)

"""Multi-Ethnic Study of Atherosclerosis, sleep exam (NSRR): 2056 nights of adults of about 54 to 95 years, at home.

On disk: polysomnography/edfs/mesa-sleep-NNNN.edf + XML of the same stem + datasets/mesa-sleep-harmonized-dataset-*.csv
Quirks : EEG1 to EEG3 and both EOG are finished derivations under names that do not say so, never subtract; *_Off
         signals mark electrodes that came off; "Unsure" is a hypopnea of more than 50 %.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "mesa",
    Layout(
        stem=r"mesa-sleep-(?P<person>\d+)",
        tables=("mesa-sleep-harmonized-dataset*.csv",),
        person="mesaid",
    ),
    (
        ChannelRule("Fz-Cz", "eeg", ("EEG1",)),
        ChannelRule("Cz-Oz", "eeg", ("EEG2",)),
        ChannelRule("C4-M1", "eeg", ("EEG3",)),
        ChannelRule("E1-Fpz", "eog", ("EOG-L", "E1")),
        ChannelRule("E2-Fpz", "eog", ("EOG-R", "E2")),
        ChannelRule("Chin", "emg", ("EMG",)),
        ChannelRule("ECG", "ecg", ("EKG",)),
        ChannelRule("Airflow", "resp", ("Therm", "Aux_AC")),
        ChannelRule("Nasal", "resp", ("Flow", "Pres")),
        ChannelRule("Thorax", "resp", ("Thor",)),
        ChannelRule("Abdomen", "resp", ("Abdo",)),
        ChannelRule("SpO2", "resp", ("SpO2",)),
    ),
)

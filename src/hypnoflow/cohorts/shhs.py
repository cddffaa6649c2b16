"""Sleep Heart Health Study (NSRR): 8444 home nights of 5797 adults of 40 years and over, one or two visits.

On disk: polysomnography/edfs/shhsV/shhsV-NNNNNN.edf + XML of the same stem + datasets/shhs-harmonized-dataset-*.csv
Quirks : EEG already bipolar, never subtract; five spellings of the second EEG and seven of the flow; EOG slower
         than EEG; staging may stop before the recording; studies scored sleep/wake only are no truth for stages.
"""

from hypnoflow.channels.derive import ChannelRule
from hypnoflow.cohorts.layouts.nsrr import Layout, nsrr_cohort

COHORT = nsrr_cohort(
    "shhs",
    Layout(
        stem=r"shhs(?P<visit>\d)-(?P<person>\d+)",
        tables=("shhs-harmonized-dataset*.csv",),
        visit="visitnumber",
    ),
    (
        ChannelRule("C4-M1", "eeg", ("EEG",)),
        ChannelRule("C3-M2", "eeg", ("EEG(sec)", "EEG(SEC)", "EEG 2", "EEG2", "EEG sec")),
        ChannelRule("E1-PG1", "eog", ("EOG(L)",)),
        ChannelRule("E2-PG1", "eog", ("EOG(R)",)),
        ChannelRule("Chin", "emg", ("EMG",)),
        ChannelRule("ECG", "ecg", ("ECG",)),
        ChannelRule("Airflow", "resp", ("NEW AIR", "AIRFLOW", "NEWAIR", "New A/F", "AUX")),
        ChannelRule("Thorax", "resp", ("THOR RES",)),
        ChannelRule("Abdomen", "resp", ("ABDO RES",)),
        ChannelRule("SpO2", "resp", ("SaO2",)),
    ),
)

"""Rules for electrodes that several cohorts record in the same way."""

from __future__ import annotations

from collections.abc import Sequence

from hypnoflow.channels.derive import ChannelRule


def referential(electrode: str, mastoid: str, kind: str = "eeg", also: Sequence[str] = ()) -> ChannelRule:
    """Return the rule for an electrode against a mastoid: taken as it is where the file has it, else subtracted.

    `also` are further names of the electrode (LOC for E1). Mastoids go by M1 and M2 as well as A1 and A2.
    """
    earlobe = mastoid.replace("M", "A")
    names = (electrode, *also)
    finished = tuple(f"{plus}-{minus}" for plus in names for minus in (mastoid, earlobe))
    label = f"{electrode}-{mastoid}"
    return ChannelRule(label, "eog" if kind == "eog" else "eeg", finished, names, (mastoid, earlobe))


CENTRAL = (referential("C3", "M2"), referential("C4", "M1"))
SIX_EEG = (
    referential("F3", "M2"), referential("F4", "M1"), *CENTRAL, referential("O1", "M2"), referential("O2", "M1"),
)  # fmt: skip
EYES = (referential("E1", "M2", "eog", ("LOC",)), referential("E2", "M1", "eog", ("ROC",)))
# The two laboratory studies of one group in Cleveland, recorded alike.
CLEVELAND = (
    *CENTRAL,
    *EYES,
    ChannelRule("Chin", "emg", ("EMG",), ("EMG2", "EMG3"), ("EMG1",)),
    ChannelRule("ECG", "ecg", ("ECG",), ("ECG1",), ("ECG2",)),
    ChannelRule("Airflow", "resp", ("AIRFLOW",)),
    ChannelRule("Nasal", "resp", ("NASAL PRES", "NASAL PRESSURE")),
    ChannelRule("Thorax", "resp", ("THOR EFFORT",)),
    ChannelRule("Abdomen", "resp", ("ABDO EFFORT",)),
    ChannelRule("SpO2", "resp", ("SpO2", "SaO2")),
)

"""What the harmonized recordings of DCSM, DOD-O, ISRUC, MASS, Sleep-EDF telemetry and St Vincent's must hold.

Only events of the kinds in `events` come from the truth. The files may hold others: MASS marks leg movements, and
St Vincent's lists periodic breathing and possible events. ISRUC names the epoch in which an event begins and no
duration. In every cohort the consensus, or the one scorer used, is `recorder.scored()`; ISRUC's second expert is
`recorder.scored("expert 2")`, DOD-O's five are `recorder.scored("scorer 1")` and so on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import edfio
from tests.contract.expected import Expected

APNEAS = ("hypopnea", "apnea_obstructive", "apnea_central", "apnea_mixed")
PERSON = frozenset({"age_y", "sex"})

ISRUC_BOXES = ["Airflow", "Nasal", "Thorax", "Abdomen"]  # what X6, DC3, X7 and X8 hold is plausible, not certain


def _isruc(*missing_in_some: str) -> Expected:
    return Expected(
        {
            "eeg": ["F3-M2", "C3-M2", "O1-M2", "F4-M1", "C4-M1", "O2-M1"],
            "eog": ["E1-M2", "E2-M1"],
            "emg": ["Chin"],
            "ecg": ["ECG"],
            "resp": [*ISRUC_BOXES, "SpO2"],
        },
        {kind: {200} for kind in ("eeg", "eog", "emg", "ecg", "resp")},
        {"eeg": 128, "eog": 128, "emg": 128, "ecg": 128, "resp": 16},
        30,
        ("arousal", *APNEAS),
        PERSON,
        frozenset({"ECG", "SpO2", *ISRUC_BOXES, *missing_in_some}),
    )


MASS_1 = ("F3", "F4", "C3", "C4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "P3", "P4", "Fz", "Cz", "Pz", "Fp1",
          "Fp2")  # fmt: skip
MASS_3 = ("Fp1", "Fp2", "F7", "F8", "F3", "F4", "T3", "T4", "C3", "C4", "T5", "T6", "P3", "P4", "O1", "O2", "Fz", "Cz",
          "Pz", "Oz")  # fmt: skip


def _mass(eeg: list[str], optional: Iterable[str]) -> Expected:
    return Expected(
        {
            "eeg": eeg,
            "eog": ["E1", "E2"],
            "emg": ["Chin"],
            "ecg": ["ECG"],
            "resp": ["Airflow", "Nasal", "Thorax", "Abdomen", "SpO2"],
        },
        {kind: {256} for kind in ("eeg", "eog", "emg", "ecg", "resp")},
        {"eeg": 128, "eog": 128, "emg": 128, "ecg": 128, "resp": 16},
        0.001,
        ("arousal", "hypopnea", "apnea_obstructive"),
        PERSON,
        frozenset(optional),
    )


# Each recording of SS1 has one of the two references: see `one_reference`.
MASS_1_LABELS = [f"{electrode}-{reference}" for reference in ("CLE", "LER") for electrode in MASS_1]

EXPECTED_OPEN = {
    "dcsm": Expected(
        {
            "eeg": ["C3-M2", "C4-M1", "F3-M2", "F4-M1", "O1-M2", "O2-M1"],
            "eog": ["E1-M2", "E2-M2"],
            "emg": ["Chin"],
            "ecg": ["ECG"],
            "resp": ["Nasal", "Thorax", "Abdomen", "SpO2"],
        },
        {kind: {256} for kind in ("eeg", "eog", "emg", "ecg", "resp")},
        {"eeg": 128, "eog": 128, "emg": 128, "ecg": 128, "resp": 16},
        None,
        optional_channels=frozenset({"SpO2"}),
    ),
    "dodo": Expected(
        {
            "eeg": ["C3-M2", "C4-M1", "F3-F4", "F3-M2", "F4-O2", "F3-O1", "O1-M2", "O2-M1"],
            "eog": ["E1-M2", "E2-M2"],
            "emg": ["Chin"],
            "ecg": ["ECG"],
        },
        {kind: {250} for kind in ("eeg", "eog", "emg", "ecg")},
        {"eeg": 128, "eog": 128, "emg": 128, "ecg": 128},
        None,
    ),
    "isruc-sg1": _isruc("F3-M2", "F4-M1"),
    "isruc-sg2": _isruc(),
    "isruc-sg3": _isruc(),
    "mass-c1": _mass(MASS_1_LABELS, [*MASS_1_LABELS, "Thorax", "SpO2"]),
    "mass-c3": _mass([f"{electrode}-LER" for electrode in MASS_3], ["SpO2"]),
    "sedf-st": Expected(
        {"eeg": ["Fpz-Cz", "Pz-Oz"], "eog": ["EOG"], "emg": ["Chin"]},
        {"eeg": {100}, "eog": {100}, "emg": {100}},
        {"eeg": 128, "eog": 128, "emg": 100},
        None,
        demographics=PERSON,
    ),
    "svuh": Expected(
        {
            "eeg": ["C3-M2", "C4-M1"],
            "eog": ["E1", "E2"],
            "emg": ["Chin"],
            "ecg": ["ECG"],
            "resp": ["Airflow", "Thorax", "Abdomen", "SpO2"],
        },
        {"eeg": {128}, "eog": {64}, "emg": {64}, "ecg": {128}, "resp": {8}},
        {"eeg": 128, "eog": 128, "emg": 64, "ecg": 128, "resp": 8},
        0.5,  # clock times of events are whole seconds, and so are durations
        APNEAS,
        PERSON | {"ahi_per_h", "bmi"},
        frozenset({"SpO2"}),
    ),
}


def one_reference(eeg_labels: Iterable[str]) -> bool:
    """Say whether an SS1 recording has the electrodes that it must have, in order, against one reference."""
    labels = list(eeg_labels)
    references = {label.partition("-")[2] for label in labels}
    electrodes = tuple(label.partition("-")[0] for label in labels)
    return len(references) == 1 and references <= {"CLE", "LER"} and electrodes in (MASS_1, MASS_1[:-2])


def electrodes_of(cohort: str, label: str, eeg_labels: Iterable[str]) -> tuple[str, str]:
    """Return the two electrodes that the simulator subtracted for a standard label, also where the label hides them."""
    if cohort == "svuh" and label in ("E1", "E2"):
        return label, "PG1"
    if cohort.startswith("mass") and label in ("E1", "E2"):
        return label, next(iter(eeg_labels)).partition("-")[2]
    plus, _, minus = "E1-E2".partition("-") if label == "EOG" else label.partition("-")
    return plus, minus


def first_page_s(root: Path, recording: str) -> float:
    """Return where the first stage of a MASS recording begins, s after its signals, read with edfio.

    What lies before its whole second is cut: with ``cut = int(first_page_s(...))`` the harmonized recording begins
    `cut` seconds into the signals, its stages are ``recorder.scored(offset_s=cut)``, as many as whole epochs fit
    into ``recorder.duration_s - cut``, and an event of the truth lies at ``onset_s - cut``; those that begin before
    `cut` are not in the files.
    """
    (path,) = root.rglob(f"{recording} Base.edf")
    return min(float(a.onset) for a in edfio.read_edf(path).annotations if a.text.startswith("Sleep stage"))

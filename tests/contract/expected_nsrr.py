"""What harmonized recordings of the NSRR cohorts must hold, from the cohorts' documentation and not from a reader."""

from __future__ import annotations

from tests.contract.expected import Expected

EIGHT = ["F3-M2", "F4-M1", "C3-M2", "C4-M1", "T3-M2", "T4-M1", "O1-M2", "O2-M1"]
SIX = [label for label in EIGHT if label[0] != "T"]
CENTRAL = ["C3-M2", "C4-M1"]
EYES = ["E1-M2", "E2-M1"]
RESP = ["Airflow", "Nasal", "Thorax", "Abdomen", "SpO2"]
EVENTS = ("arousal", "hypopnea", "apnea_obstructive", "apnea_central", "apnea_mixed", "desaturation")
WHO = {"age_y", "sex", "ahi_per_h", "bmi"}
RATES_HZ = {"eeg": 128.0, "eog": 128.0, "emg": 128.0, "ecg": 128.0, "resp": 16.0}


def channels(eeg: list[str], eog: list[str] = EYES) -> dict[str, list[str]]:
    return {"eeg": eeg, "eog": eog, "emg": ["Chin"], "ecg": ["ECG"], "resp": RESP}


def rates(eeg: set[float], emg: set[float], ecg: set[float], resp: set[float]) -> dict[str, set[float]]:
    return {"eeg": eeg, "eog": eeg, "emg": emg, "ecg": ecg, "resp": resp}


COMMON = {
    "rates_hz": RATES_HZ,
    "event_tolerance_s": 0.01,  # the converter writes two decimals
    "events": EVENTS,
    "demographics": WHO,
}
VENDORS_HZ = {200.0, 256.0, 400.0, 512.0}

EXPECTED_NSRR = {
    "abc": Expected(
        channels(SIX),
        rates({256}, {256}, {256}, {16, 32}),
        optional_channels={"SpO2"},
        recorded_against="Fpz",
        **COMMON,
    ),
    "ccshs": Expected(
        channels(CENTRAL),
        rates({128}, {256}, {256}, {1, 32, 64}),
        optional_channels={"SpO2"},
        recorded_against="Fpz",
        **COMMON,
    ),
    "cfs": Expected(
        channels(CENTRAL),
        rates({128}, {256}, {256, 512}, {1, 32, 64, 128}),
        optional_channels={"SpO2"},
        rates_vary=True,
        recorded_against="Fpz",
        **COMMON,
    ),
    "chat": Expected(
        channels(EIGHT),
        rates(VENDORS_HZ, VENDORS_HZ, VENDORS_HZ, {10, 32, 128}),
        optional_channels={"SpO2"},
        rates_vary=True,
        **COMMON,
    ),
    "hpap": Expected(
        channels(SIX),
        rates({200}, {200}, {250}, {10, 16, 32, 64, 128}),
        optional_channels={"SpO2"},
        rates_vary=True,
        **COMMON,
    ),
    "mesa": Expected(
        channels(["Fz-Cz", "Cz-Oz", "C4-M1"], ["E1-Fpz", "E2-Fpz"]),
        rates({256}, {256}, {256}, {1, 32}),
        optional_channels={"SpO2"},
        **COMMON,
    ),
    "mros": Expected(
        channels(CENTRAL),
        rates({256}, {256}, {512}, {1, 16, 32, 64}),
        optional_channels={"SpO2", "Nasal"},  # 47 files have no cannula
        rates_vary=True,
        **COMMON,
    ),
    "sof": Expected(
        channels([*CENTRAL, "O1-M2", "O2-M1"]),
        rates({128}, {128}, {256}, {1, 16, 64}),
        optional_channels={"SpO2", "O1-M2", "O2-M1"},
        recorded_against="Fpz",
        **COMMON,
    ),
}

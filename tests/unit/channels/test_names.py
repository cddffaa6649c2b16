"""What labels mean, against the spellings that the cohorts' dossier lists."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypnoflow.channels.names import aliases, parse_name
from hypnoflow.types import KINDS


@pytest.mark.parametrize(
    ("label", "standard", "kind"),
    [
        ("EEG Fpz-Cz", "Fpz-Cz", "eeg"),  # Sleep-EDF
        ("EEG Pz-Oz", "Pz-Oz", "eeg"),
        ("EOG horizontal", "EOG", "eog"),
        ("EMG submental", "Chin", "emg"),
        ("C3-A2", "C3-M2", "eeg"),  # A1 and A2 are the mastoids
        ("C4-A1", "C4-M1", "eeg"),
        ("EEG F3-A2", "F3-M2", "eeg"),
        ("LOC", "E1", "eog"),  # CCSHS, CFS, SOF
        ("ROC", "E2", "eog"),
        ("LOC-A2", "E1-M2", "eog"),
        ("ROC-A1", "E2-M1", "eog"),
        ("EOG(L)", "E1", "eog"),  # SHHS
        ("EOG(R)", "E2", "eog"),
        ("EOG-L", "E1", "eog"),  # MESA
        ("Lefteye", "E1", "eog"),  # SVUH
        ("RightEye", "E2", "eog"),
        ("E2-M2", "E2-M2", "eog"),  # DCSM: not the contralateral one, and kept so
        ("Chin1-Chin2", "Chin1-Chin2", "emg"),  # PHYS
        ("ECG", "ECG", "ecg"),
        ("EKG", "ECG", "ecg"),
        ("SaO2", "SpO2", "resp"),
        ("SpO2", "SpO2", "resp"),
        ("CHEST", "Thorax", "resp"),
        ("THOR RES", "Thorax", "resp"),
        ("ABDO RES", "Abdomen", "resp"),
        ("NEW AIR", "Airflow", "resp"),
    ],
)
def test_a_label_of_a_real_cohort_gets_its_standard_name(label, standard, kind):
    name = parse_name(label)
    assert (name.label, name.kind) == (standard, kind)


@pytest.mark.parametrize("label", ["EEG(sec)", "EEG(SEC)", "EEG 2", "EEG2", "EEG sec"])
def test_all_five_spellings_of_the_second_shhs_eeg_are_one_channel(label):
    assert (parse_name(label).label, parse_name(label).kind) == ("EEG2", "eeg")


@pytest.mark.parametrize("label", ["C3-M2", "C3_M2", "C3/M2", "C3:M2", "c3-m2", " C3 - M2 ", "EEG C3-M2"])
def test_separator_case_and_blanks_do_not_matter(label):
    assert parse_name(label).label == "C3-M2"


def test_electrode_and_reference_are_told_apart():
    name = parse_name("EEG C3-A2")
    assert (name.electrode, name.reference) == ("C3", "M2")


@pytest.mark.parametrize(("label", "mastoid"), [("A1", "M1"), ("A2", "M2"), ("M1", "M1"), ("EEG A2", "M2")])
def test_a_mastoid_is_a_reference_and_no_channel(label, mastoid):
    name = parse_name(label)
    assert (name.label, name.kind) == (mastoid, "reference")
    assert name.kind not in KINDS


@pytest.mark.parametrize("label", ["", "Temp rectal", "Event marker", "LIGHT", "POSITION", "H.R.", "OX stat"])
def test_labels_that_are_no_scored_signal_are_not_taken_for_one(label):
    assert parse_name(label) is None


@pytest.mark.parametrize("label", ["X7-M2", "-", "EEG foo-bar"])
def test_an_unknown_electrode_or_none_is_no_name(label):
    assert parse_name(label) is None


def test_every_alias_is_written_as_it_is_looked_up():
    assert [alias for alias in aliases() if alias != alias.upper() or not alias.isalnum()] == []


def test_every_alias_has_a_kind_that_the_store_knows():
    assert {kind for _, kind in aliases().values()} <= {*KINDS, "reference"}


@given(st.text(max_size=20))
def test_any_text_is_parsed_or_refused_without_an_error(text):
    name = parse_name(text)
    assert name is None or name.electrode


@pytest.mark.parametrize(
    ("label", "standard", "kind"),
    [
        ("EEG C3-Ref", "C3", "eeg"),  # against the recorder's common reference: no derivation yet
        ("EEG A2-Ref", "M2", "reference"),
        ("EEG-C3-A2", "C3-M2", "eeg"),
        ("C3M2", "C3-M2", "eeg"),
        ("C3A2", "C3-M2", "eeg"),  # SVUH
        ("ROCA1", "E2-M1", "eog"),
        ("POL E1", "E1", "eog"),  # Nihon Kohden
        ("E1:M2", "E1-M2", "eog"),  # HMC
        ("EOG Left Horiz", "E1", "eog"),  # MASS
        ("EEG C3-LER", "C3-LER", "eeg"),
        ("ECG I", "ECG", "ecg"),
        ("ECG ECGI", "ECG", "ecg"),
        ("EMG/L", "Chin1", "emg"),  # SOF
        ("Nasal Pressure", "Nasal", "resp"),
        ("Flow Patient", "Airflow", "resp"),
        ("Effort THO", "Thorax", "resp"),
        ("Effort ABD", "Abdomen", "resp"),
        ("ribcage", "Thorax", "resp"),
        ("Resp Belt Abdo", "Abdomen", "resp"),
        *((electrode, electrode, "eeg") for electrode in ("T7", "T8", "P7", "P8", "AF7", "FCz", "CPz", "PO4", "FT10")),
        ("P8-M1", "P8-M1", "eeg"),
    ],
)
def test_a_common_clinical_label_gets_its_standard_name(label, standard, kind):
    name = parse_name(label)
    assert (name.label, name.kind) == (standard, kind)


@pytest.mark.parametrize("label", ["SpO2-Pleth", "Pulse", "Heart rate", "CO2", "EtCO2", "Snore", "Body position"])
def test_a_signal_that_merely_sounds_like_one_is_not_taken_for_it(label):
    assert parse_name(label) is None


def test_every_alias_leads_to_a_label_that_means_itself():
    for electrode, kind in aliases().values():
        name = parse_name(electrode)
        assert (name.label, name.kind) == (electrode, kind)


WORDS = st.sampled_from(
    ["EEG", "EOG", "EMG", "ECG", "RESP", "C3", "A2", "M1", "E1", "LOC", "Ref", "Fpz", "Chin", "x", "2"]
)
PUNCTUATION = st.sampled_from(["", " ", "-", "_", ":", "/", ".", " - ", "("])


@settings(max_examples=1000)
@given(st.lists(st.tuples(WORDS, PUNCTUATION), min_size=1, max_size=4))
def test_a_standard_label_is_read_as_itself(parts):
    name = parse_name("".join(word + mark for word, mark in parts))
    if name is not None:
        assert parse_name(name.label).label == name.label

"""What labels mean, against the spellings that the cohorts' dossier lists."""

from __future__ import annotations

import pytest
from hypothesis import given
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

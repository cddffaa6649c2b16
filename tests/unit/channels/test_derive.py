"""Which signals make which channel, by hand-made lists of labels."""

from __future__ import annotations

import pytest

from hypnoflow.channels.derive import ChannelRule, normal, pick_by_name, pick_by_rules, pick_by_wish
from hypnoflow.cohorts import cohorts
from hypnoflow.errors import ConfigError

C3 = ChannelRule("C3-M2", "eeg", ("C3-M2", "C3-A2"), plus=("C3",), minus=("M2", "A2"))


def by_rules(rules, labels):
    return [(p.label, p.plus, p.minus) for p in pick_by_rules(rules, labels)]


def by_name(*labels):
    return [(p.label, p.plus, p.minus) for p in pick_by_name(labels)]


def test_a_derivation_is_formed_of_the_first_spelling_that_the_file_has():
    assert by_rules([C3], ["A2", "C3"]) == [("C3-M2", "C3", "A2")]
    assert by_rules([C3], ["A2", "M2", "C3"]) == [("C3-M2", "C3", "M2")]


def test_a_finished_derivation_is_never_subtracted_again():
    assert by_rules([C3], ["C3", "A2", "C3-A2"]) == [("C3-M2", "C3-A2", "")]


@pytest.mark.parametrize("labels", [["C3"], ["A2"], ["M2", "C4"], []])
def test_half_a_derivation_is_no_channel(labels):
    assert by_rules([C3], labels) == []


def test_channels_come_in_the_order_of_the_rules_not_of_the_file():
    rules = [ChannelRule("a", "eeg", ("A",)), ChannelRule("b", "eeg", ("B",))]
    assert [p.label for p in pick_by_rules(rules, ["B", "A"])] == ["a", "b"]


def test_case_and_repeated_blanks_do_not_matter_and_brackets_do():
    assert normal("  THOR   RES ") == normal("thor res")
    assert normal("EEG(sec)") != normal("EEG sec")


def test_of_equal_labels_the_first_is_taken():
    assert by_rules([ChannelRule("a", "eeg", ("eeg",))], ["EEG", "Eeg"]) == [("a", "EEG", "")]


def test_the_source_says_what_was_subtracted():
    (formed,) = pick_by_rules([C3], ["C3", "A2"])
    (finished,) = pick_by_rules([C3], ["C3-A2"])
    assert (formed.source, finished.source) == ("C3 - A2", "C3-A2")


SHHS_SECOND = ("EEG(sec)", "EEG(SEC)", "EEG 2", "EEG2", "EEG sec")
SHHS_FLOW = ("NEW AIR", "AIRFLOW", "New Air", "AUX", "NEWAIR", "New A/F", "New AIR", "new air")


@pytest.mark.parametrize("second", SHHS_SECOND)
def test_shhs_finds_its_second_eeg_under_each_of_five_spellings_and_subtracts_nothing(second):
    labels = ["SaO2", second, "EOG(L)", "EOG(R)", "EEG"]
    assert by_rules(cohorts.get("shhs").channels, labels) == [
        ("C4-M1", "EEG", ""),
        ("C3-M2", second, ""),
        ("E1-PG1", "EOG(L)", ""),
        ("E2-PG1", "EOG(R)", ""),
        ("SpO2", "SaO2", ""),
    ]


@pytest.mark.parametrize("flow", SHHS_FLOW)
def test_shhs_finds_its_flow_under_each_spelling(flow):
    assert by_rules(cohorts.get("shhs").channels, [flow]) == [("Airflow", flow, "")]


def test_no_cohort_with_finished_derivations_subtracts_anything():
    for name in ("sedf-sc", "shhs", "phys", "dodh"):
        assert [rule.label for rule in cohorts.get(name).channels if rule.plus or rule.minus] == []


@pytest.mark.parametrize(
    ("electrode", "mastoid", "standard"),
    [
        ("C3", "A2", "C3-M2"),
        ("C4", "A1", "C4-M1"),
        ("F3", "M2", "F3-M2"),
        ("O2", "M1", "O2-M1"),
        ("LOC", "A2", "E1-M2"),
        ("ROC", "A1", "E2-M1"),
        ("Cz", "M2", "Cz-M2"),
    ],
)
def test_an_electrode_is_referred_to_the_opposite_mastoid(electrode, mastoid, standard):
    assert by_name("A1" if mastoid[1] == "1" else "M1", electrode, mastoid)[-1] == (standard, electrode, mastoid)


def test_an_electrode_is_taken_as_it_is_where_the_file_has_only_its_own_side():
    assert by_name("C3", "A1") == [("C3", "C3", "")]


@pytest.mark.parametrize("label", ["C3-A2", "C3_M2", "EEG C3-M2", "LOC-A2", "EEG Fpz-Cz"])
def test_a_label_with_a_reference_is_never_subtracted_again(label):
    (pick,) = pick_by_name([label, "A1", "A2"])
    assert (pick.plus, pick.minus) == (label, "")


def test_muscle_heart_and_breath_are_not_referred_to_a_mastoid():
    assert by_name("Chin1", "ECG2", "SpO2", "M1", "M2") == [
        ("Chin1", "Chin1", ""),
        ("ECG2", "ECG2", ""),
        ("SpO2", "SpO2", ""),
    ]


def test_two_labels_of_one_channel_make_it_once_from_the_first():
    assert by_name("C3-A2", "C3-M2") == [("C3-M2", "C3-A2", "")]


def test_mastoids_and_unknown_labels_make_no_channel():
    assert by_name("A1", "M2", "POSITION", "LIGHT") == []


def test_the_labels_of_a_sleep_edf_night_give_its_channels():
    labels = ("EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal", "EMG submental", "Temp rectal", "Event marker")
    picks = pick_by_name(labels)
    assert [(p.label, p.kind) for p in picks] == [("Fpz-Cz", "eeg"), ("Pz-Oz", "eeg"), ("EOG", "eog"), ("Chin", "emg")]


def test_electrodes_on_a_common_reference_make_a_derivation():
    assert by_name("EEG C3-Ref", "EEG A2-Ref") == [("C3-M2", "EEG C3-Ref", "EEG A2-Ref")]


def test_an_eeg_of_no_stated_electrode_is_not_subtracted_from():
    assert by_name("EEG1", "EEG2", "M1", "M2") == [("EEG1", "EEG1", ""), ("EEG2", "EEG2", "")]


def test_a_stated_kind_names_an_unknown_label_and_wins_over_the_guess():
    picks = pick_by_name(["Ch 7", "Fp1", "TRIG", "M2"], {"Ch 7": "eeg", "Fp1": "eog", "M2": "eeg"})
    assert [(p.label, p.kind, p.source) for p in picks] == [("Ch 7", "eeg", "Ch 7"), ("Fp1-M2", "eog", "Fp1 - M2")]


def test_a_wish_takes_the_first_source_that_the_file_has():
    wish = {"C3-A2": ("EEG3", "Ch 1 - Ch 9"), "E1": ("left - eye", "LEFT"), "Chin": ("no such",)}
    picks = pick_by_wish(wish, ["ch 1", "CH 9", "left", "left - eye"])
    assert [(p.label, p.kind, p.source) for p in picks] == [
        ("C3-M2", "eeg", "ch 1 - CH 9"),
        ("E1", "eog", "left - eye"),
    ]


def test_a_wish_under_a_name_that_tells_no_kind_is_refused():
    with pytest.raises(ConfigError, match="'Channel 7' does not tell which signal"):
        pick_by_wish({"Channel 7": ("x",)}, ["x"])

"""Channels named by hand: the file's labels, standard labels, differences; what is not there is said."""

from __future__ import annotations

import pytest

from hypnoflow.channels.choose import pick_by_label
from hypnoflow.channels.derive import Pick
from hypnoflow.errors import RecordingError

LABELS = ["EEG C4-A1", "C3", "F3", "A2", "M1", "EOG LOC-A2", "X1", "X-2", "Chin1-Chin2", "EEG Fpz-Cz"]


@pytest.mark.parametrize(
    ("name", "pick"),
    [
        ("EEG C4-A1", Pick("C4-M1", "eeg", "EEG C4-A1")),
        ("eeg  c4-a1", Pick("C4-M1", "eeg", "EEG C4-A1")),
        ("C4-M1", Pick("C4-M1", "eeg", "EEG C4-A1")),
        ("C4-A1", Pick("C4-M1", "eeg", "EEG C4-A1")),
        ("C3-M2", Pick("C3-M2", "eeg", "C3", "A2")),
        ("C3", Pick("C3", "eeg", "C3")),
        ("C3-M1", Pick("C3-M1", "eeg", "C3", "M1")),
        ("F3-C3", Pick("F3-C3", "eeg", "F3", "C3")),
        ("E1-M2", Pick("E1-M2", "eog", "EOG LOC-A2")),
        ("X1", Pick("X1", "eeg", "X1")),
        ("X1-X-2", Pick("X1-X-2", "eeg", "X1", "X-2")),
        ("X-2-C3", Pick("X-2-C3", "eeg", "X-2", "C3")),
    ],
)
def test_a_name_means_the_signal_or_the_difference(name, pick):
    assert pick_by_label([name], LABELS) == [pick]


def test_channels_come_in_the_order_wished_for_and_once():
    found = pick_by_label(["EOG LOC-A2", "C4-A1", "C4-M1"], LABELS)
    assert [pick.label for pick in found] == ["E1-M2", "C4-M1"]


@pytest.mark.parametrize("name", ["O1-M2", "C9", "C3-Q", "-", "C3-C3"])
def test_what_the_file_has_is_said_where_a_channel_is_missing(name):
    with pytest.raises(RecordingError) as caught:
        pick_by_label([name], LABELS)
    assert repr(name) in str(caught.value)
    for label in LABELS:
        assert label in str(caught.value)


def test_a_misspelt_label_is_answered_with_the_nearest():
    with pytest.raises(RecordingError, match="did you mean 'eeg fpz-cz'"):
        pick_by_label(["EEG Fpz-Cx"], LABELS)


def test_muscle_is_no_channel_to_score_from():
    with pytest.raises(RecordingError, match="is EMG; sleep is scored from EEG and EOG"):
        pick_by_label(["Chin1-Chin2"], LABELS)

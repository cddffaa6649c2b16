"""Which side file applies to a recording, by the inheritance principle of the BIDS specification."""

from __future__ import annotations

import pytest

from hypnoflow.native.bids import beside, entities

EEG = "sub-01/ses-2/eeg/sub-01_ses-2_task-sleep_run-1_eeg.edf"


def lay_out(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def applying(root, *names):
    lay_out(root, EEG, *names)
    found = beside(root / EEG, "channels.tsv")
    return None if found is None else str(found.relative_to(root))


@pytest.mark.parametrize(
    "name",
    [
        "sub-01/ses-2/eeg/sub-01_ses-2_task-sleep_run-1_channels.tsv",
        "sub-01/ses-2/eeg/sub-01_ses-2_task-sleep_channels.tsv",
        "sub-01/ses-2/sub-01_ses-2_channels.tsv",
        "sub-01/sub-01_task-sleep_channels.tsv",
        "task-sleep_channels.tsv",
        "channels.tsv",
    ],
)
def test_a_side_file_of_fewer_entities_at_any_level_applies(tmp_path, name):
    assert applying(tmp_path, name) == name


@pytest.mark.parametrize(
    "name",
    [
        "sub-01/ses-2/eeg/sub-01_ses-2_task-rest_channels.tsv",
        "sub-01/ses-2/eeg/sub-01_ses-2_task-sleep_run-2_channels.tsv",
        "sub-02/sub-02_channels.tsv",
        "task-rest_channels.tsv",
        "derivatives/task-sleep_channels.tsv",
    ],
)
def test_a_side_file_of_other_entities_or_another_branch_does_not(tmp_path, name):
    assert applying(tmp_path, name) is None


def test_the_closest_level_and_then_the_most_entities_decide(tmp_path):
    near = "sub-01/ses-2/eeg/sub-01_ses-2_channels.tsv"
    nearest = "sub-01/ses-2/eeg/sub-01_ses-2_task-sleep_channels.tsv"
    assert applying(tmp_path, "task-sleep_channels.tsv", near) == near
    assert applying(tmp_path, nearest) == nearest


def test_the_entities_of_a_name():
    assert entities("sub-01_ses-2_task-sleep_eeg") == {"sub": "01", "ses": "2", "task": "sleep"}

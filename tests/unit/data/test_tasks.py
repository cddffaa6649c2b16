"""Labels of the tasks, from events laid by hand."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from hypnoflow.data.tasks import Labelling, task_of, tasks
from hypnoflow.errors import RecordingError


def write(folder, events, n_epochs=8, gaps_s=()):
    """Write a recording with some (kind, onset_s, duration_s)."""
    kinds, onsets, lengths = zip(*events, strict=True) if events else ((), (), ())
    columns = {"kind": list(kinds), "onset_s": list(onsets), "duration_s": list(lengths)}
    facts = {"events": columns, "gaps_s": [list(gap) for gap in gaps_s]}
    group = zarr.open_group(folder / "r", mode="w", zarr_format=3, attributes=facts)
    group.create_array("stage", data=(np.arange(n_epochs) % 5).astype(np.uint8))
    return folder


def labels(folder, name, **options):
    return task_of(name).labels(folder, "r", Labelling(**options)).tolist()


EVENTS = [
    ("apnea_obstructive", 5, 12),  # 12 s of the first epoch
    ("apnea", 55, 10),  # 5 s of the second, 5 s of the third: the first of the two
    ("apnea_central", 85, 9),  # 5 s and 4 s, shorter than an apnea is: marks none by itself
    ("apnea_mixed", 100, 50),  # 20 s of the fourth, all of the fifth
    ("hypopnea", 151, 14),  # within the sixth
    ("desaturation", 180, 60),
]


def test_an_epoch_has_an_apnea_if_one_covers_enough_of_it_and_every_long_one_marks_an_epoch(tmp_path):
    write(tmp_path, EVENTS)
    assert labels(tmp_path, "apnea") == [1, 1, 0, 1, 1, 0, 0, 0]
    assert labels(tmp_path, "hypopnea") == [0, 0, 0, 0, 0, 1, 0, 0]
    assert labels(tmp_path, "apnea", min_overlap_s=4.0) == [1, 1, 1, 1, 1, 0, 0, 0]
    assert labels(tmp_path, "apnea", min_overlap_s=25.0) == [1, 1, 0, 0, 1, 0, 0, 0]


def test_no_event_longer_than_10_s_is_lost_wherever_it_lies(tmp_path):
    for onset in np.arange(0, 60, 2.5):
        for length in (10, 13, 29, 31):
            write(tmp_path, [("apnea", float(onset), float(length)), ("hypopnea", 200, 20)])
            for least in (10.0, 30.0):
                assert sum(labels(tmp_path, "apnea", min_overlap_s=least)) >= 1


def test_where_no_respiratory_event_is_known_nobody_knows_of_any(tmp_path):
    write(tmp_path, [("arousal", 10, 5)])
    assert labels(tmp_path, "apnea") == [9] * 8
    write(tmp_path, [("hypopnea", 10, 15)])
    assert labels(tmp_path, "apnea") == [0] * 8


def test_gaps_are_unscored(tmp_path):
    write(tmp_path, EVENTS, gaps_s=[(90, 150)])
    assert labels(tmp_path, "apnea") == [1, 1, 0, 9, 9, 0, 0, 0]
    assert labels(tmp_path, None) == [0, 0, 0, 9, 9, 0, 0, 0]  # what a pre-training draws from


def test_stages_are_the_experts(tmp_path):
    write(tmp_path, [])
    assert labels(tmp_path, "stage") == [0, 1, 2, 3, 4, 0, 1, 2]
    assert task_of("stage").classes == ("W", "N1", "N2", "N3", "R")


def test_events_have_labels_of_30_s(tmp_path):
    write(tmp_path, EVENTS)
    with pytest.raises(RecordingError, match="labels of 30 s, not of 5 s"):
        labels(tmp_path, "apnea", label_s=5.0)


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_says_its_classes_and_labels_whole_nights(name, tmp_path):
    write(tmp_path, EVENTS)
    task = task_of(name)
    found = task.labels(tmp_path, "r", Labelling())
    assert (task.name, found.dtype, len(found)) == (name, np.uint8, 8)
    assert set(found.tolist()) <= {*range(len(task.classes)), 9}

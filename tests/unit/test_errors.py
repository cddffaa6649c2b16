"""Messages for users."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from hypnoflow.errors import (
    CheckpointError,
    CohortError,
    ConfigError,
    HypnoflowError,
    RecordingError,
    did_you_mean,
)

FIELDS = {"cohort": "phys", "recording": "tr03-0005", "path": Path("a/b.hea"), "hint": "copy it again"}


def fields(error: RecordingError) -> dict:
    return {name: getattr(error, name) for name in ("what", "cohort", "recording", "path", "hint")}


def test_recording_error_pickles_with_all_fields():
    error = RecordingError("torn file", **FIELDS)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is RecordingError
    assert fields(again) == {"what": "torn file", **FIELDS}
    assert str(again) == str(error)


def test_recording_error_prints_cohort_recording_file_and_hint():
    lines = str(RecordingError("torn file", **FIELDS)).splitlines()
    assert lines == ["phys/tr03-0005: torn file", "  file: a/b.hea", "  hint: copy it again"]


def test_recording_error_prints_only_what_it_knows():
    assert str(RecordingError("torn file")) == "torn file"
    assert str(RecordingError("torn file", recording="r1")) == "r1: torn file"


def test_located_fills_in_names_and_keeps_those_that_are_known():
    error = RecordingError("torn", path=Path("x"), hint="h")
    assert fields(error.located("phys", "r1")) == {
        "what": "torn", "cohort": "phys", "recording": "r1", "path": Path("x"), "hint": "h"
    }  # fmt: skip
    known = RecordingError("torn", cohort="shhs", recording="r0").located("phys", "r1")
    assert (known.cohort, known.recording) == ("shhs", "r0")


@pytest.mark.parametrize("kind", [ConfigError, CohortError, CheckpointError, RecordingError])
def test_every_error_for_users_is_caught_as_one_kind(kind):
    with pytest.raises(HypnoflowError, match="oh"):
        raise kind("oh")


def test_did_you_mean_names_the_closest_or_nothing():
    assert did_you_mean("nigth_h", ["artefacts", "night_h"]) == "; did you mean 'night_h'?"
    assert did_you_mean("qqq", ["artefacts", "night_h"]) == ""
    assert did_you_mean("x", []) == ""

"""Work in processes: results, errors, and deaths."""

from __future__ import annotations

import os
import signal

import pytest

from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.processes import in_processes


def name_of(task, error):
    return f"{task}: {error.what}"


def test_results_come_from_processes_of_their_own():
    found = list(in_processes(abs, [-1, 2, -3], 2, name_of))
    assert sorted(found) == [1, 2, 3]


def test_an_error_of_the_work_stops_all():
    with pytest.raises(TypeError):
        list(in_processes(abs, [-1, "two", -3], 2, name_of))


@pytest.mark.parametrize(("code", "how"), [(3, "exit code 3"), (0, "exit code 0")])
def test_a_process_that_ends_itself_is_told_of_by_its_code(code, how):
    (found,) = in_processes(os._exit, [code], 1, name_of)
    assert found.startswith(f"{code}: the process that read it died ({how})")


def test_a_process_that_is_killed_is_told_of_by_the_signal():
    (found,) = in_processes(signal.raise_signal, [signal.SIGKILL], 1, name_of)
    assert "died (signal 9, SIGKILL)" in found


def test_an_error_of_who_comes_after_a_death_still_stops_all():
    def abort(task, error):
        raise RecordingError(error.what)

    with pytest.raises(RecordingError, match="exit code 7"):
        list(in_processes(os._exit, [7, 7], 2, abort))

"""Runs of equal stages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypnoflow.night.stage_runs import runs_of

STAGES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 9]), max_size=60)


@given(STAGES)
def test_runs_repeat_to_the_stages_and_neighbours_differ(stages):
    stage = np.array(stages, np.uint8)
    runs = runs_of(stage)
    np.testing.assert_array_equal(np.repeat(runs.stage, runs.length), stage)
    assert (runs.stage[1:] != runs.stage[:-1]).all()
    assert runs.steps_of().tolist() == [stages.count(code) for code in range(5)]


@given(STAGES, st.integers(0, 70), st.integers(0, 70))
def test_runs_within_are_the_runs_of_the_part(stages, start, length):
    stage = np.array(stages, np.uint8)
    start = min(start, len(stage))
    stop = min(start + length, len(stage))
    part, wanted = runs_of(stage).within(start, stop), runs_of(stage[start:stop])
    for name in ("stage", "start", "stop"):
        np.testing.assert_array_equal(getattr(part, name), getattr(wanted, name))


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_and_one_step(n):
    assert runs_of(np.zeros(n, np.uint8)).length.tolist() == [1] * n

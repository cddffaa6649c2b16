"""Fixtures of the simulator's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import SEED

from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.simulate.dialects import dialects
from hypnoflow.simulate.job import draw_visits
from hypnoflow.simulate.recorder import Recorder


@pytest.fixture
def made(simulated, short_nights):
    """Return a function: cohort → its folder and the recorders of its two persons."""

    def make(name: str) -> tuple[Path, list[Recorder]]:
        dialect = dialects.get(name)
        visits = draw_visits(name, CohortConfig(persons=2), SEED)
        drawn = [Recorder(visit, short_nights, SEED, dialect.rate_hz, dialect.mains_hz) for visit in visits]
        return simulated(name), drawn

    return make

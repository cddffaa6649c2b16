"""Fixtures that all tests share: small simulated cohorts, seeded generators, the folder of real files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.simulate import Simulate

ROOT = Path(__file__).parents[1]
SEED = 3

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("hypnoflow", deadline=None)
settings.load_profile("hypnoflow")


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator, fresh for each test."""
    return np.random.default_rng(SEED)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch use one thread: those of small networks only wait for each other, the longer the busier the machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of small real files; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real sample files at {folder}")
    return folder


@pytest.fixture(scope="session")
def short_nights() -> Simulate:
    """Options of nights of an hour."""
    return Simulate(night_h=1.0, bad_site_share=0.0)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory, short_nights: Simulate):
    """Return a function: cohort → folder of its two simulated persons' native files, made once per session."""
    from hypnoflow.simulate.job import simulate_cohort

    made: dict[str, Path] = {}

    def root_of(cohort: str) -> Path:
        if cohort not in made:
            made[cohort] = tmp_path_factory.mktemp("simulated") / cohort
            simulate_cohort(cohort, made[cohort], CohortConfig(persons=2), short_nights, seed=SEED)
        return made[cohort]

    return root_of

"""Planning studies of 20,000 and 100,000 recordings; printed, and bounded by counts and by ratios within the run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.bench.scale import SIZES, Planned, first_job_s, job_start_s, larger, make_study, pretend_done, start
from tests.workflow.conftest import Workflow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    return make_study(tmp_path_factory.mktemp("study"), SIZES)


@pytest.fixture(scope="module")
def planned(study: Workflow) -> Planned:
    return start(study, "-n")


def shards(workflow: Workflow) -> list[tuple[str, str]]:
    """Return cohort and shard of every job of harmonize."""
    tables = (pd.read_parquet(path) for path in sorted(Path(workflow.results / "index").glob("*.parquet")))
    return sorted({(c, s) for table in tables for c, s in zip(table["cohort"], table["shard"], strict=True)})


def test_19909_recordings_are_below_3000_jobs_and_600_mb(study, planned):
    print(f"\n19,909 recordings: dry run {planned}")
    print(f"first job of a real run after {first_job_s(study):.1f} s")
    assert planned.jobs["harmonize"] == planned.jobs["score"] == len(shards(study))
    assert sum(planned.jobs.values()) < 3000
    assert planned.peak_mb < 600


def test_100000_recordings_take_no_more_than_in_proportion(planned, tmp_path):
    large = make_study(tmp_path, larger(100_000))
    found = start(large, "-n")
    print(f"\n100,000 recordings: dry run {found}; first job after {first_job_s(large):.1f} s")
    assert found.wall_s / planned.wall_s < 1.5 * 100_000 / sum(SIZES.values())
    assert found.peak_mb < 600


def test_a_smaller_shard_size_makes_more_shards(tmp_path, planned):
    half = start(make_study(tmp_path, SIZES, shard_size=50), "-n")
    print(f"\nshard_size 50: dry run {half}")
    assert sum(half.jobs.values()) < 3000
    assert half.jobs["harmonize"] / planned.jobs["harmonize"] == pytest.approx(2, rel=0.15)


# Snakemake's own `--touch` waits a tenth of a second at each job: the longest test here.
def test_a_finished_study_has_nothing_to_do_and_one_of_its_jobs_plans_itself_alone(study, planned):
    pretend_done(study, planned)
    again = min((start(study, "-n") for _ in range(3)), key=lambda found: found.wall_s)
    cohort, shard = shards(study)[-1]
    which = {"cohort": cohort, "shard": shard}
    harmonize = min(job_start_s(study, "harmonize", **which) for _ in range(3))
    score = min(job_start_s(study, "score", **which, model="anysleep") for _ in range(3))
    print(f"\nfinished: dry run {again}; Snakemake in a job: harmonize {harmonize:.1f} s, score {score:.1f} s")
    assert not again.jobs
    assert max(harmonize, score) < 0.8 * again.wall_s

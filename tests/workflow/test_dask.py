"""The workflow's cohort-wide work elsewhere than in processes: nothing reruns for it, and nothing comes out else."""

from __future__ import annotations

import pandas as pd
import pytest

ELSEWHERE = {"dask": "distributed", "dask_memory_mb": 700, "dask_jobs": 9, "dask_walltime_min": 30}


def test_where_dask_runs_causes_no_rerun_and_changes_no_feature(copy_of_finished):
    made = copy_of_finished.results / "features" / "anysleep.parquet"
    before, written_ns = pd.read_parquet(made), made.stat().st_mtime_ns
    copy_of_finished.config["run"] |= ELSEWHERE
    assert copy_of_finished.planned() == {}
    done = copy_of_finished.run("--forcerun", "features", "--until", "features")
    assert made.stat().st_mtime_ns > written_ns, done.stdout
    pd.testing.assert_frame_equal(pd.read_parquet(made), before, check_exact=True)


def test_an_unknown_place_stops_before_any_job(copy_of_finished):
    copy_of_finished.config["run"]["dask"] = "slrum"
    done = copy_of_finished.run("-n", check=False)
    assert done.returncode
    assert "run.dask" in done.stdout
    assert "'distributed' or 'slurm'" in done.stdout


@pytest.mark.parametrize("kind", ["threads", "distributed"])
def test_a_survey_of_the_finished_cohorts_has_a_row_per_channel(finished, tmp_path, kind):
    from typer.testing import CliRunner

    from hypnoflow.cli import app

    out = tmp_path / "survey.csv"
    command = ["survey", str(finished.results / "harmonized"), "--out", str(out), "--run", f"dask={kind}"]
    assert CliRunner().invoke(app, command).exit_code == 0
    qc = pd.concat([pd.read_parquet(path) for path in (finished.results / "harmonized").glob("*/*.qc.parquet")])
    used = qc[qc["status"] == "ok"]
    channels = used.assign(channel=used["channels"].str.split()).explode("channel")
    expected = channels.groupby(["cohort", "channel"]).size().to_dict()
    table = pd.read_csv(out).set_index(["cohort", "channel"])
    assert table["recordings"].to_dict() == expected
    cohorts = pd.read_csv(out.with_suffix(".cohorts.csv")).set_index("cohort")
    assert cohorts["recordings"].to_dict() == used["cohort"].value_counts().to_dict()

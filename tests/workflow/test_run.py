"""What must be true of the workflow from native files to the report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from hypnoflow.head.stores import damaged, siblings
from hypnoflow.types import RESOLUTIONS


def test_one_command_makes_every_stage_up_to_the_report(finished):
    made = {path.name for path in finished.results.iterdir()}
    stages = {
        "simulate",
        "index",
        "harmonized",
        "split",
        "train",
        "score",
        "agreement",
        "evaluate",
        "features",
        "predict",
        "report",
    }
    assert stages | {"logs", ".hypnoflow.head"} == made  # the last is the lock of whoever runs


def test_every_table_network_and_store_has_its_hash_in_a_json_that_is_looked_at(finished):
    known: set[Path] = set()
    for path in siblings(finished.results):
        facts = json.loads(path.read_text())
        known |= {path.parent / name for name in facts["files"]}
        known |= {path.with_suffix(".zarr")} if "bytes" in facts else set()
    made = {path for kind in ("*.parquet", "*.ckpt", "*.zarr") for path in finished.results.rglob(kind)}
    assert made - known == set()
    assert damaged(siblings(finished.results), "hashes") == []


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.run().stdout


def test_shards_follow_the_config(finished):
    manifest = pd.read_parquet(finished.results / "index" / "sedf-sc.parquet")
    assert manifest["shard"].value_counts().max() <= 4
    stores = sorted(path.name for path in (finished.results / "harmonized" / "sedf-sc").glob("*.zarr"))
    assert stores == [f"{shard}.zarr" for shard in sorted(manifest["shard"].unique())]
    assert len(stores) > 1


def test_every_usable_recording_has_all_resolutions(finished):
    split = pd.read_parquet(finished.results / "split" / "anysleep.parquet")
    for row in split.itertuples():
        scores = xr.open_zarr(
            finished.results / "score" / "anysleep" / row.cohort / f"{row.shard}.zarr",
            group=row.recording,
            consolidated=False,
        )
        epochs = scores.sizes["epoch"]
        assert scores["stage"].attrs["steps_per_epoch"] == list(RESOLUTIONS)
        assert scores.sizes["stage_step"] == sum(RESOLUTIONS) * epochs
        assert scores["probability"].shape == (30 * epochs, 5)
        assert abs(scores["probability"].sum("class") - 1).max() < 1e-5


def test_features_have_a_row_per_recording_and_resolution(finished):
    table = pd.read_parquet(finished.results / "features" / "anysleep.parquet")
    split = pd.read_parquet(finished.results / "split" / "anysleep.parquet")
    assert len(table) == len(split) * len(RESOLUTIONS)
    assert not table.duplicated(["cohort", "recording", "steps_per_epoch"]).any()


def test_out_of_fold_predictions_are_kept_for_every_condition(finished):
    table = pd.read_parquet(finished.results / "predict" / "anysleep" / "age.parquet")
    conditions = {"baseline", "demographics", "classic", *map(str, RESOLUTIONS), "best"}
    conditions |= {"demographics+classic", "demographics+1", "demographics+best"}
    assert set(table["condition"]) == conditions
    assert (table.groupby("person")["condition"].nunique() == len(conditions)).all()
    assert table["prediction"].notna().all()


def test_the_report_says_simulated_on_every_figure(finished):
    page = (finished.results / "report" / "report.html").read_text()
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.S)
    assert len(captions) >= 6
    assert all(caption.startswith("Simulated data.") for caption in captions)


def test_the_report_is_one_self_contained_file(finished):
    page = (finished.results / "report" / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "<script" not in page


def test_each_option_reruns_only_what_depends_on_it(copy_of_finished):
    science = copy_of_finished.config["science"]
    science["predict"]["trees"] = 11
    assert copy_of_finished.planned() == {"predict": 3, "report": 1}
    science["predict"] |= {"trees": 10, "forests": {"protocol": "off"}}
    assert copy_of_finished.planned() == {"predict": 3, "report": 1}
    science["evaluate"] = {"absent_class": "one"}
    assert copy_of_finished.planned() == {"predict": 3, "evaluate": 1, "report": 1}


def test_subsets_are_scored_where_they_are_asked_for_and_its_figures_are_in_the_report(copy_of_finished):
    workflow = copy_of_finished
    workflow.config["science"]["evaluate"] = {"subsets": {"kind": "count", "draws": 1, "most_eeg": 2}}
    stores = len(list((workflow.results / "harmonized").glob("*/*.zarr")))
    assert workflow.planned() == {"subsets": stores, "evaluate": 1, "report": 1}
    workflow.run()
    assert workflow.planned() == {}
    page = (workflow.results / "report" / "report.html").read_text()
    assert 'id="figure-channel_count"' in page
    assert 'id="figure-channel_pairs"' not in page
    unseen = pd.read_parquet(workflow.results / "evaluate" / "anysleep.cohorts.parquet")
    assert set(unseen["domain"]) == {"in-distribution", "hold-out"}
    assert unseen["simulated"].all()
    workflow.config["science"]["evaluate"]["absent_class"] = "one"  # what was scored stays
    assert workflow.planned() == {"evaluate": 1, "report": 1}


def test_run_options_never_cause_a_rerun(copy_of_finished):
    copy_of_finished.config["run"] |= {"threads": 2, "device": "cpu", "cache_mb": 1, "on_error": "abort"}
    assert copy_of_finished.planned() == {}


def test_adding_a_cohort_leaves_the_others_native_files_and_stores(copy_of_finished):
    copy_of_finished.config["science"]["cohorts"]["phys"] = {"persons": 1}
    planned = copy_of_finished.planned()
    assert planned["simulate"] == planned["index"] == 1
    assert "harmonize" not in planned  # the new cohort's own is planned once its manifest is there


def test_editing_a_stage_reruns_it(copy_of_finished):
    module = copy_of_finished.folder / "src" / "hypnoflow" / "predict" / "compare.py"
    module.write_text(module.read_text() + "\n# an edit\n")
    assert copy_of_finished.planned() == {"predict": 3, "report": 1}


@pytest.mark.parametrize(
    ("section", "mistake", "message"),
    [
        ("science", {"sead": 3}, "did you mean 'seed'"),
        ("science", {"simulate": {"night_h": "4 h"}}, "a number in h"),
        ("science", {"cohorts": {"shss": {}}}, "unknown cohort 'shss'; did you mean 'shhs'"),
        ("science", {"models": {"anyslep": {}}}, "unknown network 'anyslep'; did you mean 'anysleep'"),
    ],
)
def test_a_mistake_in_the_config_stops_before_any_job(copy_of_finished, section, mistake, message):
    copy_of_finished.config[section] |= mistake
    done = copy_of_finished.run(check=False)
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert "Job stats" not in done.stdout


def test_the_slurm_profile_is_found_by_its_name(finished):
    done = finished.run("--profile", "slurm", "-n")
    assert "Nothing to be done" in done.stdout


def test_bad_recordings_and_an_empty_cohort_are_listed_and_stop_nothing(copy_of_finished, tmp_path):
    """A truncated EDF, and a cohort whose folder is empty: the rest of the run goes on to the report."""
    workflow = copy_of_finished
    simulated = workflow.results / "simulate" / "shhs"
    real = tmp_path / "shhs"
    simulated.rename(real)
    edf = sorted(real.rglob("*.edf"))[0]
    edf.write_bytes(edf.read_bytes()[:100_000])
    (tmp_path / "empty").mkdir()
    cohorts = workflow.config["science"]["cohorts"]
    cohorts["shhs"]["root"] = str(real)
    cohorts["phys"] = {"root": str(tmp_path / "empty")}
    workflow.config["run"]["max_skipped"] = 0.9
    workflow.run()
    page = (workflow.results / "report" / "report.html").read_text()
    assert edf.stem in page
    assert "longer than the signals" in page
    assert "phys: no recording found" in page
    summary = json.loads((workflow.results / "report" / "report.json").read_text())
    assert [row["recording"] for row in summary["skipped"]] == [edf.stem]


def test_a_cohort_has_nights_of_its_own_length(finished):
    epochs = {
        name: pd.read_parquet(finished.results / "harmonized" / name / "000.qc.parquet")["n_epochs"].max()
        for name in ("shhs", "dodh")
    }
    assert epochs["dodh"] <= 1.15 * 30 < 0.85 * 60 <= epochs["shhs"]

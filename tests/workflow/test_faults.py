"""Whatever ends a run on this machine, the same command again gives the results of an undisturbed one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from tests.workflow.conftest import make_workflow
from tests.workflow.disturbed import decoded, differences, jobs, kill_head, kill_tree, said, start, wait_for


@pytest.fixture(scope="module")
def wanted(finished):
    return decoded(finished.results)


def test_killed_heads_power_cuts_and_killed_jobs_change_nothing(finished, wanted, tmp_path):
    """In turn: the head alone while jobs run, everything at once, and a job in the middle of writing a store."""
    workflow = make_workflow(tmp_path)
    head = start(workflow)
    wait_for(lambda: jobs(workflow, "simulate"), head)
    kill_head(head)
    survivors = jobs(workflow)
    assert survivors  # nobody told them
    head = start(workflow)
    wait_for(lambda: any((workflow.results / "harmonized").rglob("*.partial")), head)
    assert not any(process.is_running() for process in survivors)
    kill_tree(head)
    head = start(workflow)
    wait_for(lambda: jobs(workflow, "harmonize"), head)
    wait_for(lambda: any((workflow.results / "harmonized").rglob(".*.partial")), head)
    for process in jobs(workflow, "harmonize"):
        process.kill()
    assert head.wait() != 0
    workflow.run()
    assert differences(wanted, decoded(workflow.results)) == []
    assert all(f"left over from an earlier run: process {process.pid} ended" in said(workflow) for process in survivors)
    assert not any((workflow.folder / ".snakemake" / "incomplete").iterdir())


def test_a_second_head_refuses_and_leaves_the_first_alone(tmp_path):
    workflow = make_workflow(tmp_path)
    target = "results/index/dodh.parquet"
    first = start(workflow, "--", target)
    wait_for(lambda: jobs(workflow), first)
    second = workflow.run("--", target, check=False)
    assert second.returncode != 0
    assert f"another run works in {workflow.folder}: process {first.pid} on" in second.stdout
    assert "Traceback" not in second.stdout
    assert workflow.run("-n", "--", target).returncode == 0  # looking is allowed
    assert first.wait() == 0


def test_only_one_of_two_heads_started_at_once_runs(tmp_path):
    workflow = make_workflow(tmp_path)
    heads = [start(workflow, "--", "results/index/dodh.parquet") for _ in range(2)]
    codes = sorted(head.wait() != 0 for head in heads)
    assert codes == [False, True]


def test_what_was_damaged_behind_our_back_is_made_again_and_nothing_else(copy_of_finished, wanted):
    workflow = copy_of_finished
    cut, gone = sorted((workflow.results / "harmonized").glob("*/*.zarr"))[:2]
    largest = max((path for path in cut.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    with largest.open("r+b") as file:
        file.truncate(largest.stat().st_size // 2)
    shutil.rmtree(gone)
    untouched = sorted((workflow.results / "harmonized").glob("*/*.json"))[2]
    before = untouched.stat().st_mtime
    done = workflow.run()
    assert f"{cut.with_suffix('').relative_to(workflow.folder)}: " in done.stdout
    assert "the store is missing" in done.stdout
    assert differences(wanted, decoded(workflow.results)) == []
    assert untouched.stat().st_mtime == before
    assert workflow.planned() == {}


def test_outputs_without_a_record_are_judged_by_their_own_json(copy_of_finished):
    """Of a job that ended after its head, say, or of results copied without .snakemake."""
    workflow = copy_of_finished
    shutil.rmtree(workflow.folder / ".snakemake" / "metadata")
    for _ in range(2):  # a start that comes to no job is no crash, after which the report would be made again
        assert "Nothing to be done" in workflow.run().stdout
    (workflow.folder / ".snakemake" / "hypnoflow.checked").unlink()  # what was found whole is not read again
    store = sorted((workflow.results / "harmonized").glob("*/*.zarr"))[0]
    chunk = max((path for path in store.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    table = workflow.results / "evaluate" / "anysleep.truth.parquet"
    for path in (chunk, table):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1  # of the same size: only the hash tells
        path.write_bytes(data)
    workflow.config["science"]["predict"]["trees"] = 11
    done = workflow.run("--until", "harmonize")
    assert "made with other options than there are now" in done.stdout
    assert "is not what was written (SHA-256)" in done.stdout
    assert not table.exists()
    assert not (workflow.results / "evaluate" / "anysleep.json").exists()
    planned = workflow.planned()
    assert planned["predict"] == 3


def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(finished, wanted, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        assert os.environ.get("CI") is None or os.geteuid() != 0, mounted.stderr
        pytest.skip("a small file system can be mounted by root only")
    try:
        workflow = make_workflow(tmp_path)
        workflow.results.symlink_to(disk)
        full = workflow.run(check=False)
        assert full.returncode != 0
        assert "the file system of results is full (0 MB free)" in full.stdout
        subprocess.run(["mount", "-o", "remount,size=2g", str(disk)], check=True)
        workflow.run()
        assert differences(wanted, decoded(disk)) == []
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_folder_that_cannot_be_written_is_one_message(copy_of_finished):
    copy_of_finished.config["run"]["results"] = "/proc/results"
    done = copy_of_finished.run(check=False)
    assert done.returncode != 0
    assert "cannot write to /proc/results" in done.stdout
    assert "run.results" in done.stdout
    assert "Traceback" not in done.stdout


def test_results_of_an_older_version_are_named_and_made_again(copy_of_finished):
    """A store whose JSON lacks the hashes of files that this version notes."""
    workflow = copy_of_finished
    sibling = sorted((workflow.results / "harmonized").glob("*/*.json"))[0]
    facts = json.loads(sibling.read_text())
    del facts["files"]
    times = sibling.stat()
    sibling.write_text(json.dumps(facts))
    os.utime(sibling, ns=(times.st_atime_ns, times.st_mtime_ns))
    done = workflow.run("--", str(sibling.relative_to(workflow.folder)))
    assert "of an older version of hypnoflow" in done.stdout
    assert "files" in json.loads(sibling.read_text())


def test_every_stage_is_made_again_when_its_options_changed_and_the_record_is_lost(copy_of_finished):
    """Elsewhere too: results in an absolute folder, whose name has a space."""
    workflow = copy_of_finished
    results = workflow.folder / "my results"
    workflow.config["run"]["results"] = f"{results}/"
    workflow.run("--", f"{results}/split/drawn.parquet")
    shutil.rmtree(results)
    workflow.results.rename(results)
    shutil.rmtree(workflow.folder / ".snakemake" / "metadata")
    workflow.config["science"]["seed"] = 6
    done = workflow.run("--", f"{results}/simulate/dodh.json")
    assert "made with other options" in done.stdout
    assert {"simulate", "draw", "split", "train", "evaluate", "predict", "report"} <= set(workflow.planned())


def test_every_start_is_on_record_and_in_the_report(finished):
    page = (finished.results / "report" / "report.html").read_text()
    record = json.loads((finished.results / "report" / "provenance.json").read_text())
    assert record["runs"][0]["command"][:3] == ["snakemake", "--cores", "2"]
    assert record["runs"][0]["config"]["science"]["seed"] == record["seed"] == 5
    assert {job["stage"] for job in record["jobs"]} >= {"simulate", "harmonize", "train", "score", "predict"}
    assert all(job["command"][0] == "hypnoflow" and job["seconds"] > 0 for job in record["jobs"])
    assert "snakemake --cores 2" in page


def test_native_files_are_on_record_with_their_hashes(finished):
    record = json.loads((finished.results / "report" / "provenance.json").read_text())
    files = record["sources"]["shhs"]
    for recording, hashes in files.items():
        assert recording
        for path, digest in hashes.items():
            native = finished.results / "simulate" / "shhs" / path
            assert hashlib.sha256(native.read_bytes()).hexdigest() == digest


def test_snakemake_makes_its_own_report(copy_of_finished):
    copy_of_finished.run("--report", "snakemake.html")
    assert (copy_of_finished.folder / "snakemake.html").stat().st_size > 100_000


def test_a_clone_elsewhere_gives_the_same_numbers(wanted, tmp_path_factory):
    """Another folder, another number of jobs at once: the same tables and stores."""
    elsewhere = make_workflow(tmp_path_factory.mktemp("elsewhere"))
    elsewhere.run("--cores", "1")
    assert differences(wanted, decoded(elsewhere.results)) == []

"""What would stop a run is said before it starts, with what to do about it."""

from __future__ import annotations

import os

import pytest

from hypnoflow.errors import WorkflowError
from hypnoflow.head import asked
from hypnoflow.head.preflight import (
    ADVICE,
    advice,
    check_job_names,
    check_slurm,
    check_status_command,
    check_writable,
    explain,
    skewed,
)


def test_a_folder_is_made_and_its_clock_read(tmp_path):
    assert abs(check_writable(tmp_path / "new" / "results")) < 5
    assert list((tmp_path / "new" / "results").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WorkflowError, match=r"cannot write to .*file.*set run\.results to another folder"):
        check_writable(tmp_path / "file" / "results")


@pytest.mark.parametrize(("ahead_s", "words"), [(90.0, "90 s ahead of"), (-61.4, "61 s behind")])
def test_a_clock_that_is_off_is_a_warning(ahead_s, words):
    assert words in skewed(ahead_s)
    assert "NTP" in skewed(ahead_s)


def test_clocks_that_agree_are_not_mentioned():
    assert skewed(0.4) == skewed(-4.9) == ""


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """An sbatch that notes how it was called and, if asked to, refuses."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def put(refusal=""):
        script = f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n'
        (tmp_path / "sbatch").write_text(script + (f"echo '{refusal}' >&2; exit 1\n" if refusal else ""))
        (tmp_path / "sbatch").chmod(0o755)
        return tmp_path / "called"

    return put


def test_each_rules_resources_are_asked_for_without_submitting(sbatch):
    called = sbatch()
    train = {"slurm_partition": "gpu", "gpu": 2, "nodes": 1, "cpus_per_task": 4}
    check_slurm({"default": {"mem_mb": 100, "runtime": 5}, "train": train})
    assert called.read_text().splitlines() == [
        "--test-only --time=5 --mem=100 --wrap true",
        "--test-only --partition=gpu --gpus=2 --nodes=1 --cpus-per-task=4 --wrap true",
    ]


# As Slurm's own source and manual word them (src/common/slurm_errno.c).
@pytest.mark.parametrize(
    ("said", "do"),
    [
        ("allocation failure: Invalid account or account/partition combination specified", "slurm_account"),
        ("sbatch: error: invalid partition specified: x", "slurm_partition"),
        ("No partition specified or system default partition", "slurm_partition"),
        ("Requested time limit is invalid (missing or exceeds some limit)", "runtime"),
        ("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", "lower `jobs`"),
        ("Invalid qos specification", "slurm-qos"),
        ("Slurm temporarily unable to accept job, sleeping and retrying", "queue is full"),
        ("Unable to contact slurm controller (connect failure)", "does not answer"),
    ],
)
def test_what_slurm_says_becomes_what_to_do(sbatch, said, do):
    assert do in advice(said)
    sbatch(said.replace("'", ""))
    if do in ("lower `jobs`", "queue is full"):  # it empties: no reason not to start
        check_slurm({"score": {}})
        return
    with pytest.raises(WorkflowError, match="edit workflow/profiles/slurm/config.yaml") as error:
        check_slurm({"score": {}})
    assert "jobs of score" in str(error.value)
    assert do in str(error.value)


def test_nodes_out_of_service_are_waited_for_and_those_that_are_not_there_are_refused(sbatch, tmp_path):
    sbatch("allocation failure: Requested node configuration is not available")
    sinfo = tmp_path / "sinfo"

    def out(*nodes):
        """Have these be out, each with its partition as the last word."""
        lines = "".join(f"case \"$*\" in *states*) echo '{node}';; esac\n" for node in nodes)
        sinfo.write_text(f"#!/bin/sh\n{lines}")
        sinfo.chmod(0o755)

    out("n3|32|256000|gpu:a100:4(S:0-1)|main*", "n4|32|256000|(null)|main*")
    train = {"gpu": 2, "mem_mb": 64000, "cpus_per_task": 8}
    assert "those of train for n3" in check_slurm({"train": train})
    for wanted in ({"gpu": 5}, {"mem_mb": 300_000}, {"cpus_per_task": 64}):
        with pytest.raises(WorkflowError, match="lower mem_mb, cpus or gpu"):  # no node that is out could either
            check_slurm({"train": train | wanted})
    out("n5|32|256000|gpu:4|other")  # of a partition that the job does not go to
    with pytest.raises(WorkflowError, match="lower mem_mb, cpus or gpu"):
        check_slurm({"train": train})
    assert "for n5" in check_slurm({"train": train | {"slurm_partition": "other"}})
    out()
    with pytest.raises(WorkflowError, match="lower mem_mb, cpus or gpu"):
        check_slurm({"train": train})


def test_a_refusal_in_a_runs_log_is_explained_at_its_end():
    log = (
        "rule x:\n  SLURM sbatch failed. The error message was 'Job violates accounting/QOS policy (job submit limit)'"
    )
    assert "lower `jobs`" in explain(log)
    assert explain("Error in rule x: time limit of patience") == ""


def test_jobs_that_could_not_be_found_again_are_refused():
    check_job_names("hypnoflow")
    for other in ("", None, "mine"):
        with pytest.raises(WorkflowError, match="slurm-jobname-prefix: hypnoflow"):
            check_job_names(other)


def test_a_cluster_without_accounting_is_looked_at_by_squeue(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "scontrol").write_text("#!/bin/sh\necho 'AccountingStorageType   = accounting_storage/none'\n")
    (tmp_path / "scontrol").chmod(0o755)
    check_status_command("squeue")
    for other in ("sacct", None):
        with pytest.raises(WorkflowError, match="slurm-status-command into workflow/profiles/slurm"):
            check_status_command(other)


def test_without_sbatch_the_place_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkflowError, match="a login node"):
        check_slurm({"default": {}})


def test_every_advice_is_whole():
    assert all(what.format(partitions="main") for what in ADVICE.values())


@pytest.mark.parametrize("argv", [["-n"], ["-np"], ["--dry-run"], ["--unlock"], ["--lint"], ["--report", "x.zip"],
                                  ["--summary"], ["--dag"], ["--touch"], ["--list-rules"]])  # fmt: skip
def test_looking_is_no_run(argv):
    assert not asked.runs_jobs(asked.parse(["--cores", "1", *argv]))


def test_options_that_are_no_run_exist_in_this_snakemake():
    assert set(asked.NO_RUN) <= set(vars(asked.parse(["--cores", "1"])))


def test_running_is_a_run_and_the_profiles_first_attempt_is_asked_for(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "executor: slurm\njobs: 3\ndefault-resources: {runtime: 60 * 2 ** (attempt - 1), mem_mb: 500}\n"
        "set-resources:\n  train: {mem_mb: 1000 * attempt, gpu: 2, slurm_partition: gpu}\n"
        "  score: {mem_mb: 'max(2 * input.size_mb, 1000)'}\n  subsets: {mem_mb: 100 * threads, cpus_per_gpu: 2}\n"
        "set-threads: {train: 4, features: '2 * attempt', subsets: 3}\n"
    )
    args = asked.parse(["--profile", str(tmp_path)])
    assert asked.runs_jobs(args)
    resources = asked.slurm_resources(args)
    assert resources["default"] == {"runtime": 60, "mem_mb": 500}
    assert resources["score"]["mem_mb"] is None  # known with the job only
    assert resources["train"] == {
        "runtime": 60,
        "mem_mb": 1000,
        "gpu": 2,
        "slurm_partition": "gpu",
        "cpus_per_task": 4,
    }
    assert resources["subsets"] == {"runtime": 60, "mem_mb": 300}  # the plugin asks by GPU there
    assert resources["features"] == {"runtime": 60, "mem_mb": 500, "cpus_per_task": 2}

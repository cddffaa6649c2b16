"""`snakemake --profile slurm` on a real Slurm of one node: the results of a local run, whatever happens on the way."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.numerics import IN_DOUBLE
from tests.workflow.conftest import Workflow, make_workflow
from tests.workflow.disturbed import decoded, differences, jobs, kill_head, said, start, wait_for
from tests.workflow.slurm_node import SlurmNode, running_slurm

PROFILE = Path("workflow/profiles/slurm/config.yaml")


@pytest.fixture(scope="module")
def node():
    with running_slurm() as started:
        yield started


def edit_profile(workflow: Workflow, resources: dict[str, dict], default: dict | None = None) -> None:
    """Edit the profile as the user of a cluster without accounting, in a hurry and with one core per job, would."""
    path = workflow.folder / PROFILE
    profile = yaml.safe_load(path.read_text())
    profile |= {"slurm-no-account": True, "slurm-status-command": "squeue", "latency-wait": 5}
    profile |= {"slurm-init-seconds-before-status-checks": 1, "set-threads": {"harmonize": 1, "train": 1}}
    profile["default-resources"] = {"runtime": 10, "mem_mb": 2000} | (default or {})
    del profile["set-resources"]
    profile |= {"set-resources": resources} if resources else {}
    path.write_text(yaml.safe_dump(profile))


def squeue(node: SlurmNode) -> list[str]:
    return node.call("squeue", "-h", "-o", "%i").split()


@pytest.fixture(scope="module")
def on_slurm(node, tmp_path_factory):
    """A run that Slurm, its administrator and a power cut at the login node did their worst to."""
    workflow = make_workflow(tmp_path_factory.mktemp("slurm"))
    workflow.cluster = node.environment
    edit_profile(workflow, {"index": {"mem_mb": "100 * 16 ** (attempt - 1)"}, "train": {"gpu": 1, "mem_mb": 4000}})
    head = start(workflow)
    wait_for(lambda: jobs(workflow, "simulate"), head)
    node.call("scancel", squeue(node)[0])  # somebody cancels a job
    node.call("scontrol", "update", "nodename=localhost", "state=drain", "reason=test")
    wait_for(lambda: "DRAIN" in node.call("squeue", "-h", "-o", "%R"), head)
    node.call("scontrol", "update", "nodename=localhost", "state=resume")
    wait_for(lambda: any((workflow.results / "harmonized").rglob("*.partial")), head)
    kill_head(head)
    left = squeue(node)
    again = start(workflow)
    assert again.wait() == 0, said(workflow)[-4000:]
    return workflow, left


def test_results_equal_those_of_an_undisturbed_local_run(finished, on_slurm):
    workflow, _ = on_slurm
    assert differences(decoded(finished.results), decoded(workflow.results)) == []
    assert workflow.planned() == {}


def test_jobs_that_outlived_the_head_are_cancelled_and_never_doubled(on_slurm, node):
    workflow, left = on_slurm
    text = said(workflow)
    cancelled = re.findall(r"left over from an earlier run: Slurm job (\d+) cancelled", text)
    assert cancelled
    assert set(cancelled) <= set(left)  # one or the other may have ended by itself
    assert "the last run here ended without cleaning up" in text
    assert "left over from an earlier run: lock" in text
    assert squeue(node) == []


def test_what_slurm_killed_for_its_memory_got_more_and_what_was_cancelled_came_again(on_slurm):
    workflow, _ = on_slurm
    text = said(workflow)
    index = re.findall(r"checkpoint index:.*?mem_mb=(\d+)", text, re.S)
    assert {"100", "1600"} <= set(index)
    logs = [path.read_text() for path in (workflow.results / "logs" / "slurm" / "rule_index").rglob("*.log")]
    assert any("Exceeded job memory limit" in log for log in logs)
    assert "Error in rule simulate" in text  # the cancelled one


def test_provenance_names_the_slurm_job_of_every_stage(on_slurm):
    workflow, _ = on_slurm
    record = json.loads((workflow.results / "report" / "provenance.json").read_text())
    assert all(job["slurm_job_id"].isdigit() for job in record["jobs"])
    submitted = set(re.findall(r"submitted with SLURM jobid (\d+)", said(workflow)))
    assert {job["slurm_job_id"] for job in record["jobs"]} <= submitted
    assert "--profile slurm" in " ".join(record["runs"][-1]["command"])


def test_logs_are_where_the_readme_says(on_slurm):
    """A stage's own log beside those of a local run; Slurm's, of jobs that failed, in one folder."""
    workflow, _ = on_slurm
    logs = workflow.results / "logs"
    assert "recordings" in (logs / "index" / "shhs.log").read_text()
    slurm = [path.relative_to(logs / "slurm").as_posix() for path in (logs / "slurm").rglob("*.log")]
    assert slurm
    assert all(re.fullmatch(r"rule_\w+/[\w-]+/\d+\.log", path) for path in slurm)


def test_the_head_may_be_a_job_itself_and_is_cleaned_up_after_when_it_is_killed(node, tmp_path):
    """As docs/cluster.md has it, for login nodes that allow no long processes."""
    workflow = make_workflow(tmp_path)
    workflow.cluster = node.environment
    edit_profile(workflow, {})
    target = workflow.results / "index" / "dodh.parquet"
    # `exec`: without cgroups, this Slurm can only kill what is the job's own process.
    wrapped = "exec " + shlex.join(workflow.command("--", str(target.relative_to(workflow.folder))))
    log = workflow.folder / "head.log"

    def submit():
        words = ["sbatch", "--parsable", "--job-name=head", "--mem=1G", f"--output={log}", "--open-mode=append"]
        done = subprocess.run(
            [*words, "--wrap", wrapped], cwd=workflow.folder, env=workflow.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    killed = submit()
    wait_for(log.exists)  # it runs; what it submits shall wait, to outlive it
    node.call("scontrol", "update", "nodename=localhost", "state=drain", "reason=test")
    wait_for(lambda: len(squeue(node)) == 2)
    node.call("scancel", "--signal=KILL", "--full", killed)
    wait_for(lambda: killed not in squeue(node))
    (orphan,) = squeue(node)
    node.call("scontrol", "hold", orphan)
    node.call("scontrol", "update", "nodename=localhost", "state=resume")
    head = submit()
    wait_for(lambda: squeue(node) == [])
    said = log.read_text()
    assert target.exists(), said[-4000:]
    assert "jobs will wait for nodes that are out of service" in said
    assert f"Slurm job {killed}, since" in said  # who ended without cleaning up
    assert f"left over from an earlier run: Slurm job {orphan} cancelled" in said
    record = json.loads((workflow.results / ".hypnoflow.head").read_text())
    assert (record["job"], record["end"]) == (head, "success")


@pytest.fixture
def two_nodes():
    with running_slurm(nodes=2) as started:
        yield started


def test_training_on_two_nodes_goes_on_where_it_was_cancelled_and_equals_one_process(
    node, two_nodes, copy_of_finished, tmp_path
):
    """Two tasks on each of two nodes, from the profile alone, against one process with the whole batch; in doubles."""
    alone, several = copy_of_finished, make_workflow(tmp_path)
    for workflow in (alone, several):
        workflow.config["science"]["train"] |= {
            "max_rounds": 3,
            "updates_per_round": 8,
            "batch_size": 4,
            "patience": 9,
        }
        (workflow.folder / "src" / "sitecustomize.py").write_text(IN_DOUBLE)
    target = "results/train/anysleep/seed1.csv"
    alone.run("--", target)
    for name in ("results", ".snakemake"):
        (alone.folder / name).rename(several.folder / name)
    curve = pd.read_csv(several.folder / target)
    for suffix in ("ckpt", "json", "csv", "seen.parquet"):
        (several.folder / target).with_suffix(f".{suffix}").unlink()
    # The nodes' names are in no DNS; on a cluster the first one's is.
    several.cluster = {**two_nodes.environment, "MASTER_ADDR": "127.0.0.1"}
    tasks = {"tasks_per_node": 2, "nodes": 2, "mpi": "srun", "launch": "srun --ntasks=4 --ntasks-per-node=2"}
    edit_profile(several, {"train": {"mem_mb": 4000, **tasks}})
    head = start(several, "--", target)
    wait_for(lambda: any((several.results / "train").rglob("*.resume")), head)
    two_nodes.call("scancel", *squeue(two_nodes))
    assert head.wait() == 0, said(several)[-4000:]
    log = (several.results / "logs" / "train" / "anysleep" / "seed1.log").read_text()
    assert "4 process(es) on 2 node(s)" in log
    assert "going on after update" in log
    pd.testing.assert_frame_equal(pd.read_csv(several.folder / target), curve, rtol=1e-9)


@pytest.mark.parametrize(
    ("default", "message", "what_to_do"),
    [
        ({"slurm_partition": "night"}, "invalid partition specified: night", "one of: main"),
        ({"mem_mb": 99_000_000}, "node configuration is not available", "lower mem_mb"),
        ({"gpu": 2}, "node configuration is not available", "lower mem_mb, cpus or gpu"),
    ],
)
def test_a_profile_that_the_cluster_cannot_serve_stops_before_any_job(
    copy_of_finished, node, default, message, what_to_do
):
    copy_of_finished.cluster = node.environment
    edit_profile(copy_of_finished, {}, default)
    done = copy_of_finished.run(check=False)
    assert done.returncode != 0
    assert "Slurm would not take jobs of default" in done.stdout
    assert message in done.stdout
    assert what_to_do in done.stdout
    assert str(PROFILE) in done.stdout
    assert "Traceback" not in done.stdout


def test_a_cluster_that_does_not_answer_is_one_message(copy_of_finished, node, tmp_path):
    (tmp_path / "slurm.conf").write_text("ClusterName=x\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\n")
    copy_of_finished.cluster = {**node.environment, "SLURM_CONF": str(tmp_path / "slurm.conf")}
    edit_profile(copy_of_finished, {})
    done = copy_of_finished.run(check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert "does not answer" in done.stdout

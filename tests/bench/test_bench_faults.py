"""Kills at random moments, each followed by the same command again: how many runs end with identical results.

``HYPNOFLOW_KILLS`` sets how many kills there are (50); a run takes five before it may end. A third of them hit the
head alone, a third everything at once, a third one job. On Slurm (where its packages are) there are a fifth as many,
of the head alone or of a job by its cluster, and one training that needs two walltimes.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from tests.workflow.conftest import Workflow, make_workflow
from tests.workflow.disturbed import decoded, differences, jobs, kill_head, kill_tree, said, start
from tests.workflow.slurm_node import running_slurm
from tests.workflow.test_slurm import edit_profile, squeue

KILLS = int(os.environ.get("HYPNOFLOW_KILLS", "50"))
PER_RUN = 5
COHORTS = {"sedf-sc": {"persons": 4}, "dodh": {"persons": 2, "held_out": True, "night_h": 0.25}}


def small(folder: Path) -> Workflow:
    folder.mkdir(parents=True, exist_ok=True)
    workflow = make_workflow(folder)
    known = workflow.config["science"]["cohorts"]
    workflow.config["science"]["cohorts"] = {name: COHORTS.get(name) for name in known}
    workflow.config["science"]["predict"]["targets"] = ["age"]
    workflow.config["science"]["index"]["shard_size"] = 2
    return workflow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    workflow = small(tmp_path_factory.mktemp("undisturbed"))
    began = time.monotonic()
    workflow.run()
    return workflow, decoded(workflow.results), time.monotonic() - began


def kill_a_job(workflow: Workflow, draw: random.Random) -> bool:
    """SIGKILL one job; the head sees it fail."""
    running = jobs(workflow)
    if running:
        draw.choice(running).kill()
    return bool(running)


def disturb(workflow: Workflow, head: subprocess.Popen, how: str, draw: random.Random) -> bool:
    """Kill, if there is still something to kill, and return whether it was."""
    if head.poll() is not None:
        return False
    if how == "job":
        hit = kill_a_job(workflow, draw)
        head.wait()
        return hit
    {"head": kill_head, "all": kill_tree}[how](head)
    return True


def run_killed(workflow: Workflow, seed: int, spread_s: float) -> Counter:
    """Kill a run `PER_RUN` times, then let it end; return the kills by kind."""
    draw, kinds = random.Random(seed), Counter()
    for i in range(PER_RUN * 4):
        if kinds.total() == PER_RUN:
            break
        head = start(workflow)
        time.sleep(3 + draw.uniform(0, spread_s))  # a start takes three seconds to its first job
        how = ("head", "all", "job")[(seed + i) % 3]
        kinds[how] += disturb(workflow, head, how, draw)
        if head.poll() == 0:
            break
    workflow.run()
    return kinds


def test_random_kills_here(undisturbed, tmp_path):
    _, wanted, whole_s = undisturbed
    kinds, identical, runs = Counter(), 0, 0
    while kinds.total() < KILLS:
        workflow = small(tmp_path / f"{runs:03d}")
        killed = run_killed(workflow, runs, whole_s / PER_RUN)
        differ = differences(wanted, decoded(workflow.results))
        kinds, runs, identical = kinds + killed, runs + 1, identical + (not differ)
        print(f"\nrun {runs}: {dict(killed)}, {'identical' if not differ else differ[:3]}", flush=True)
    print(f"\n{kinds.total()} kills {dict(kinds)} in {runs} runs (undisturbed {whole_s:.0f} s): {identical} identical")
    assert identical == runs


@pytest.fixture(scope="module")
def node():
    with running_slurm() as started:
        yield started


def test_random_kills_on_slurm(undisturbed, node, tmp_path):
    _, wanted, _ = undisturbed
    workflow, draw, kinds = small(tmp_path / "slurm"), random.Random(1), Counter()
    workflow.cluster = node.environment
    edit_profile(workflow, {})
    while kinds.total() < max(KILLS // 5, 1):
        head = start(workflow)
        time.sleep(4 + draw.uniform(0, 25))
        if head.poll() is not None:
            break
        if kinds.total() % 2 and squeue(node):
            node.call("scancel", "--signal=KILL", "--full", draw.choice(squeue(node)), check=False)
            kinds["job"] += 1
            time.sleep(draw.uniform(0, 10))
        kill_head(head)
        kinds["head"] += 1
    workflow.run()
    differ = differences(wanted, decoded(workflow.results))
    print(f"\n{kinds.total()} kills {dict(kinds)} on Slurm: {'identical' if not differ else differ[:5]}")
    assert differ == []


def test_a_training_longer_than_its_walltime(undisturbed, node, tmp_path):
    reference, _, _ = undisturbed
    target = "results/train/anysleep/seed1.csv"
    slurm = small(tmp_path / "walltime")
    for workflow in (reference, slurm):
        workflow.config["science"]["train"] |= {"max_rounds": 40, "updates_per_round": 40, "patience": 40}
    began = time.monotonic()
    reference.run("--", target)
    alone_s = time.monotonic() - began
    slurm.cluster = node.environment
    edit_profile(slurm, {"train": {"runtime": 1, "mem_mb": 4000}})
    done = slurm.run("--retries", "9", "--", target)
    lost = done.stdout.count("Error in rule train")
    print(f"\n{alone_s:.0f} s of training in walltimes of 60 s: {lost} times ended by Slurm, curve compared")
    assert lost >= 1, said(slurm) if (slurm.folder / "run.log").exists() else done.stdout[-2000:]
    pd.testing.assert_frame_equal(pd.read_csv(slurm.folder / target), pd.read_csv(reference.folder / target))

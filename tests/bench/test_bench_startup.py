"""From the start of a job's process to its first work, stage by stage, against importing pandas in the same run."""

from __future__ import annotations

import time

from tests.startup import WITHOUT_TORCH, run_python, start_of

REPEATS = 3


def wall_s(program: str) -> float:
    """Return the least wall time of a fresh interpreter with warm caches of files."""
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run_python(program)
        took.append(time.perf_counter() - start)
    return min(took)


def test_start_up_of_each_stage_without_networks_against_importing_pandas():
    run_python("\n".join(start_of(verb) for verb in WITHOUT_TORCH))  # bytecode and page cache
    baseline_s = wall_s("import pandas")
    took = {verb: wall_s(start_of(verb)) for verb in WITHOUT_TORCH}
    print(f"\nimporting pandas {baseline_s:.2f} s; process start to first work (aim: 3 s):")
    for verb, wall in took.items():
        print(f"  {verb:<10}{wall:5.2f} s  {wall / baseline_s:4.1f} times pandas")
    assert max(took.values()) / baseline_s < 8

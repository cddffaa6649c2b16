"""One seed, one result: what other processes do at the same time, and where memory happens to lie, has no part in it.

It holds for one machine and one number of threads; other processors add in another order.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tests.startup import SRC
from tests.tiny_training import options, write_harmonized

from hypnoflow.checkpoints.checkpoint import load_checkpoint

PROCESSES = 10
TRAIN = options(updates_per_round=2, max_rounds=2, batch_size=2)
SCIENCE = json.dumps(
    {"train": TRAIN.train.model_dump(), "models": {"anysleep": {"options": TRAIN.options.model_dump()}}}
)

# A load that always falls on one of two ways to compute the same, as chance may have it once.
TRAIN_AND_SCORE = """
import json, os, sys, time
from pathlib import Path
folder, out, options, slow, number = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
if number % 4 == 3 and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np, torch
from torch.nn import functional as F
def slowed(work):
    def do(*words, **more):
        time.sleep(0.002)
        return work(*words, **more)
    return do
if slow == "numpy":
    np.expm1 = slowed(np.expm1)
if slow == "torch":
    F.elu, F.elu_ = slowed(F.elu), slowed(F.elu_)
held = [np.empty(n, np.float32) for n in np.random.default_rng(number).integers(1, 60_000, 97 * number)][::2]
from hypnoflow.config.run_options import Run
from hypnoflow.config.schema import Science
from hypnoflow.config.score import Score
from hypnoflow.train.entry import entry_of
from hypnoflow.score.job import score_shard
from hypnoflow.train.job import train_files
from hypnoflow.train.training import How
science = Science.model_validate_json(options)
entry, run = entry_of("anysleep", science.models, science.train), Run(threads=2, device="cpu")
train_files(folder / "split.parquet", folder / "harmonized", out / "net.ckpt", entry, (), How(run, 3, 1))
score_shard(folder / "harmonized/c/000.zarr", [out / "net.ckpt"], out / "scores.zarr", Score(), threads=2, device="cpu")
"""
BUSY = "import numpy as np\nfor _ in range({}): np.ones((500, 500)) @ np.ones((500, 500))"


@contextlib.contextmanager
def jobs_that_come_and_go() -> Iterator[None]:
    """Start and end processes that multiply matrices, none to two at a time."""
    draw, done = random.Random(1), threading.Event()

    def come_and_go() -> None:
        while not done.wait(draw.uniform(0.1, 1)):
            busy = [[sys.executable, "-c", BUSY.format(draw.randrange(100))] for _ in range(draw.randrange(3))]
            for job in [subprocess.Popen(words) for words in busy]:
                job.wait()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment as a user has it, who set nothing of MKL's."""
    inherited = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    # Threads that wait asleep: the result is the same, and on a busy machine it comes before long.
    return inherited | {"PYTHONPATH": str(SRC), "OMP_WAIT_POLICY": "passive"} | more


def python(program: str, *words: str, **more: str) -> str:
    """Run a program in a process of its own and return what it printed."""
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(**more), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def results_of(folder: Path, out: Path, number: int) -> dict[str, str]:
    """Train and score in a process of its own; return a hash of each weight, and of each recording's scores."""
    slow = ("", "numpy", "torch")[number % 3]
    more = {"ANY": "x" * 997 * number}  # what lies on the stack above
    python(TRAIN_AND_SCORE, str(folder), str(out), SCIENCE, slow, str(number), **more)
    weights = load_checkpoint(out / "net.ckpt").model.state_dict()
    found = {name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in weights.items()}
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))["recordings"]
    calibration = json.loads((out / "net.json").read_text(encoding="utf-8"))["calibration"]
    return found | scores | {"calibration": json.dumps(calibration)}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data")
    write_harmonized(path)
    store = path / "harmonized" / "c" / "000.zarr"
    for name in "abcd":  # what `score` wants to know of a recording
        file = store / name / "zarr.json"
        group = json.loads(file.read_text(encoding="utf-8"))
        group["attributes"] |= {"recipe": "1", "source_sha256": name, "gaps_s": [], "simulated": True}
        group["attributes"] |= {"cohort": "c", "person": name}
        file.write_text(json.dumps(group), encoding="utf-8")
    return path


def test_ten_processes_beside_jobs_that_come_and_go_train_and_score_alike_to_the_last_bit(folder, tmp_path):
    outs = [tmp_path / str(i) for i in range(PROCESSES)]
    for out in outs:
        out.mkdir()
    with jobs_that_come_and_go(), ThreadPoolExecutor(2) as pool:
        first, *others = pool.map(results_of, [folder] * PROCESSES, outs, range(PROCESSES))
    assert len(first) > 50
    differing = {i: [name for name in first if found[name] != first[name]] for i, found in enumerate(others, 1)}
    assert not any(differing.values()), differing
    # And a checkpoint says what its sums depend on.
    said = load_checkpoint(outs[0] / "net.ckpt").facts["training"]["computed_with"]
    vectors = torch.backends.cpu.get_cpu_capability()
    assert said == {"device": "cpu", "processes": 1, "threads": 2, "vectors": vectors, "mkl_cbwr": "AUTO"}


# Where numpy's memory begins is a multiple of 16 and no more; a view begins at any of its numbers.
PRODUCTS = """
import hypnoflow.models
import hashlib, itertools, torch
def at(x, offset):
    raw = torch.empty(x.numel() + 64)
    start = (-raw.data_ptr() % 64 + offset) // 4
    place = raw[start : start + x.numel()].view(x.shape)
    place.copy_(x)
    assert place.data_ptr() % 64 == offset
    return place
generator = torch.Generator().manual_seed(1)
unlike = []
for m, k, n in itertools.product((1, 7, 42, 300), (3, 9, 40, 200), (1, 11, 40)):
    a, b = torch.randn(m, k, generator=generator), torch.randn(k, n, generator=generator)
    ways = ("mm", torch.mm, a, b), ("mv", torch.mv, a, b[:, 0].contiguous())
    for name, product, one, two in ways:
        places = itertools.product((0, 4, 16, 32, 48, 60), repeat=2)
        if len({product(at(one, i), at(two, j)).numpy().tobytes() for i, j in places}) > 1:
            unlike.append((name, m, k, n))
print(unlike)
"""


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch multiplies with another library than MKL")
def test_a_product_of_matrices_does_not_depend_on_where_in_memory_they_lie():
    assert python(PRODUCTS).strip() == "[]"


@pytest.mark.parametrize("own", ["COMPATIBLE", "AVX2,STRICT"])
def test_a_users_own_setting_of_mkl_stands(own):
    told = "import hypnoflow.models, os; print(os.environ['MKL_CBWR'])"
    assert python(told, MKL_CBWR=own).strip() == own

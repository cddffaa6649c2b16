"""What it costs that results do not depend on chance: MKL's reproducible mode, against the same without it.

In processor time, of threads that wait asleep, so that what else the machine does has little part in the ratio.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median

from tests.startup import SRC

ROUNDS = 5
STEP_AND_NIGHT = """
import json, os, sys, time
import hypnoflow.models
if sys.argv[1] == "without":
    del os.environ["MKL_CBWR"]  # before MKL looks
import torch
from hypnoflow.config.schema import Train
from hypnoflow.models import declaration, models
from hypnoflow.models.contract import summed_cross_entropy
from hypnoflow.train.objective import optimiser_and_schedule
torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(1)
options = Train()
model = models.get("anysleep")(declaration("anysleep").options())
optimizer, _ = optimiser_and_schedule(model, options)
x = torch.randn(options.batch_size, 3, options.window_epochs * 3840)
labels = torch.randint(0, 5, (options.batch_size, options.window_epochs))
def update():
    model.train()
    batch = x.clone() if sys.argv[1] == "with" else x
    summed_cross_entropy(model(batch, options.steps_per_epoch), labels).backward()
    optimizer.step()
    optimizer.zero_grad()
def night(x=torch.randn(1, 3, 480 * 3840)):
    model.eval()
    with torch.inference_mode():
        model.logits(x, None, (1, 30))
def least(work, times):
    took = []
    for _ in range(times):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)
print(json.dumps({"update": least(update, 4), "night": least(night, 2)}))
"""


def seconds(how: str, threads: int) -> dict[str, float]:
    env = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    env |= {"PYTHONPATH": str(SRC), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-c", STEP_AND_NIGHT, how, str(threads)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, env=env).stdout)
    return told


def test_what_reproducible_products_of_matrices_cost():
    print()
    for threads in (1, 2):
        pairs = [(seconds("with", threads), seconds("without", threads)) for _ in range(ROUNDS)]
        for work, name in (("update", "an update of the demo's training"), ("night", "a night of 4 h × 3 channels")):
            ours, plain = (min(each[i][work] for each in pairs) for i in range(2))
            of_pairs = median(one[work] / other[work] for one, other in pairs)
            print(f"{name}, {threads} thread(s): {ours:.3f} s with, {plain:.3f} s without, {ours / plain:.3f} of the")
            print(f"  time by the least of {ROUNDS} processes each, {of_pairs:.3f} by the median pair")
            assert of_pairs <= 1.1

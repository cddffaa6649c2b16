"""48 h of 64 channels: as much memory as was forecast, and less than 3 GB.

pytest -s tests/bench/test_bench_long.py
HYPNOFLOW_BENCH_HOURS=6 pytest -s tests/bench/test_bench_long.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.nights import write_checkpoint

from hypnoflow.types import PREPROCESSING_VERSION

HOURS = float(os.environ.get("HYPNOFLOW_BENCH_HOURS", "48"))
RATE_HZ, N_CHANNELS = 128, 64
GB = 3
PROGRAM = Path(sys.executable).parent / "hypnoflow"
ROWS = {"12z": ("Fp", "O"), "123456z": ("FC", "C", "CP"), "12345678z": ("AF", "F", "P", "PO")}
SITES = ["T7", *(f"{row}{n}" for numbers, rows in ROWS.items() for row in rows for n in numbers)]


def write_long(path):
    """Write 1/f noise of 64 sites in records of 1 s, an hour at a time: the file has some 2.8 GB."""
    n_records = int(HOURS * 3600)
    fields = [
        *((site, 16) for site in SITES),
        *[("", 80), ("uV", 8), ("-1000", 8), ("1000", 8), ("-32768", 8), ("32767", 8), ("", 80)],
    ]
    text = "".join(f"{word:<{size}}" for word, size in fields[:N_CHANNELS])
    for word, size in fields[N_CHANNELS:]:
        text += f"{word:<{size}}" * N_CHANNELS
    text += f"{RATE_HZ:<8}" * N_CHANNELS + " " * 32 * N_CHANNELS
    head = f"{'0':<8}{'X X X X':<80}{'Startdate X X X X':<80}01.01.0122.00.00{256 * (N_CHANNELS + 1):<8}{'':<44}"
    rng, n = np.random.default_rng(0), 3600 * RATE_HZ
    with path.open("wb") as file:
        file.write((head + f"{n_records:<8}{'1':<8}{N_CHANNELS:<4}" + text).encode("ascii"))
        for first in range(0, n_records, 3600):
            hour = np.empty((3600, N_CHANNELS, RATE_HZ), "<i2")
            for channel in range(N_CHANNELS):
                shape = (rng.normal(size=(2, n // 2 + 1)) / np.sqrt(1 + np.arange(n // 2 + 1))).astype(np.float32)
                x = np.fft.irfft(shape[0] + 1j * shape[1], n)
                hour[:, channel] = np.round(1000 * x / x.std()).reshape(3600, RATE_HZ)
            hour[: n_records - first].tofile(file)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.edf"
    write_long(path)
    write_checkpoint(path.with_name("net.ckpt"), PREPROCESSING_VERSION)
    return path


def peak_of(*words):
    """Run a command and return its text and the most memory that it held, GB."""
    code = "import resource, subprocess, sys; rc = subprocess.run(sys.argv[1:]).returncode; "
    code += "print('PEAK', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6); sys.exit(rc)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    gb = float(re.search(r"PEAK ([\d.]+)", done.stdout)[1])
    print(f"\n{words[1]}: {gb:.2f} GB, {time.perf_counter() - start:.0f} s")
    return done.stdout + done.stderr, gb


def test_a_score_of_it_stays_below_3_gb_and_says_so_beforehand(night, tmp_path):
    text, gb = peak_of(PROGRAM, "score", night, "--model", night.with_name("net.ckpt"), "--out", tmp_path)
    print(text[-1500:])
    assert gb < GB
    assert (tmp_path / "summary.csv").exists()


def test_a_store_of_it_is_made_and_scored_below_3_gb(night, tmp_path):
    _, gb = peak_of(PROGRAM, "harmonize", night, "--out", tmp_path / "long.zarr")
    assert gb < GB
    words = ("score", tmp_path / "long.zarr", "--model", night.with_name("net.ckpt"), "--out", tmp_path / "s.zarr")
    _, gb = peak_of(PROGRAM, *words)
    assert gb < GB

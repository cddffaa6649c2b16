"""Where outputs go, as a sloppy lab types it: nothing there is lost, and each mistake is one message."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from tests.nights import write_checkpoint, write_night
from tests.program import PROGRAM, afresh, hypnoflow, said

from hypnoflow.store.store import recordings
from hypnoflow.types import PREPROCESSING_VERSION

MINE = b"what took me three years"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A network and three recordings, one of them harmonized."""
    top = tmp_path_factory.mktemp("lab")
    rng = np.random.default_rng(0)
    write_checkpoint(top / "net.ckpt", PREPROCESSING_VERSION)
    for name in ("one", "two"):
        write_night(top / "edf" / f"{name}.edf", rng, seconds=90)
    assert hypnoflow("harmonize", top / "edf" / "one.edf", "--out", top / "one.zarr").returncode == 0
    return top


def score(lab, *words, **how):
    return hypnoflow("score", *words, "--model", lab / "net.ckpt", "--threads", "1", **how)


def put(path, data=MINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# --- 1, 2: folders ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["photos.zarr", "photos"])
def test_scoring_a_store_into_a_folder_of_anybodys_leaves_it(lab, tmp_path, out):
    mine = put(tmp_path / out / "2019" / "beach.jpg")
    done = score(lab, lab / "one.zarr", "--out", tmp_path / out)
    assert done.returncode == 1
    assert str(tmp_path / out) in said(done)
    assert mine.read_bytes() == MINE


@pytest.mark.parametrize("out", ["in.zarr", "in.zarr/one.zarr", "top.zarr"])
def test_scoring_a_store_never_takes_the_store_away(lab, tmp_path, out):
    where = "top.zarr/in.zarr" if out == "top.zarr" else "in.zarr"
    (tmp_path / where).parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-r", lab / "one.zarr", tmp_path / where], check=True)
    before = sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file())
    done = score(lab, tmp_path / where, "--out", tmp_path / out)
    assert {*before} <= {(p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file()}
    said(done)


def test_simulating_and_harmonizing_leave_what_is_no_output_of_theirs(lab, tmp_path):
    mine = [put(tmp_path / "native" / "abc" / "real.edf"), put(tmp_path / "photos.zarr" / "beach.jpg"),
            put(tmp_path / "abc2.partial" / "x"), put(tmp_path / "night.zarr.partial" / "x")]  # fmt: skip
    assert hypnoflow("simulate", "abc", "--out", tmp_path / "native" / "abc").returncode == 1
    assert hypnoflow("harmonize", lab / "edf" / "one.edf", "--out", tmp_path / "photos.zarr").returncode == 1
    assert hypnoflow("harmonize", lab / "edf" / "one.edf", "--out", tmp_path / "night.zarr").returncode == 0
    assert [path.read_bytes() for path in mine] == [MINE] * 4


def test_a_second_harmonize_into_a_store_adds(lab, tmp_path):
    out = tmp_path / "all.zarr"
    for name in ("one", "two", "one"):
        assert hypnoflow("harmonize", lab / "edf" / f"{name}.edf", "--out", out).returncode == 0
    assert recordings(out) == ["one", "two"]
    assert pd.read_parquet(tmp_path / "all.qc.parquet")["recording"].tolist() == ["one", "two"]
    facts = json.loads((tmp_path / "all.json").read_text())
    assert sorted(facts["recordings"]) == sorted(facts["sources"]) == ["one", "two"]
    assert hypnoflow("verify", tmp_path).returncode == 1  # no folder of results; and it says so
    other = write_night(tmp_path / "edf" / "one.edf", np.random.default_rng(9), seconds=90)
    done = hypnoflow("harmonize", other, "--out", out)
    assert done.returncode == 1
    assert "holds another recording called one" in said(done)
    assert recordings(out) == ["one", "two"]


def test_what_could_not_be_read_again_stays_in_the_store(lab, tmp_path):
    out, path = tmp_path / "all.zarr", tmp_path / "one.edf"
    path.write_bytes((lab / "edf" / "one.edf").read_bytes())
    assert hypnoflow("harmonize", path, "--out", out).returncode == 0
    put(tmp_path / "bad.edf", b"no EDF at all")
    assert hypnoflow("harmonize", tmp_path / "bad.edf", "--out", out).returncode == 1
    assert recordings(out) == ["one"]
    table = pd.read_parquet(tmp_path / "all.qc.parquet")
    assert dict(zip(table["recording"], table["status"], strict=True)) == {"one": "ok", "bad": "skipped"}


def test_of_two_that_harmonize_into_one_store_the_second_is_told(lab, tmp_path):
    first = subprocess.Popen(
        [PROGRAM, "harmonize", lab / "edf", "--out", tmp_path / "all.zarr"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 200
    while not any("partial" in path.name for path in tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.001)
    first.send_signal(signal.SIGSTOP)
    assert first.poll() is None
    second = hypnoflow("harmonize", lab / "edf", "--out", tmp_path / "all.zarr")
    first.send_signal(signal.SIGCONT)
    text = first.communicate(timeout=200)[0].decode()
    assert second.returncode == 1
    assert f"is being written by process {first.pid}" in said(second)
    assert "Traceback" not in text
    assert first.returncode == 0
    assert recordings(tmp_path / "all.zarr") == ["one", "two"]
    assert hypnoflow("harmonize", lab / "edf", "--out", tmp_path / "all.zarr").returncode == 0


# --- 6, 7: scoring again, scoring where the recordings lie -----------------------------------------------------


def test_a_run_with_other_options_or_weights_is_refused_and_force_takes_exactly_its_files(lab, tmp_path):
    out = tmp_path / "out"
    assert score(lab, lab / "edf" / "one.edf", "--out", out, "--formats", "csv,png").returncode == 0
    mine = put(out / "one.notes.txt")
    before = {p: p.read_bytes() for p in out.iterdir()}
    torch.manual_seed(3)
    content = torch.load(lab / "net.ckpt", weights_only=True)
    content["state_dict"] = {k: v + 0.01 if v.is_floating_point() else v for k, v in content["state_dict"].items()}
    torch.save(content, tmp_path / "net.ckpt")
    for words, what in (
        (["--resolution", "30s", "--formats", "csv,png"], "resolutions"),
        (["--formats", "csv,png", "--model", tmp_path / "net.ckpt"], "weights"),
        (["--formats", "csv"], "formats"),
    ):
        done = score(lab, lab / "edf" / "one.edf", "--out", out, *words)
        assert done.returncode == 1
        assert f"is of a run with other {what}" in said(done)
        kept = {p: p.read_bytes() for p in out.iterdir() if not p.name.startswith("summary")}
        assert kept == {p: data for p, data in before.items() if not p.name.startswith("summary")}
    done = score(lab, lab / "edf" / "one.edf", "--out", out, "--formats", "csv", "--resolution", "30s", "--force")
    assert done.returncode == 0, said(done)
    assert sorted(p.name for p in out.iterdir()) == [
        "one.hypnodensity_30s.csv", "one.hypnogram_30s.csv", "one.notes.txt", "one.statistics.json",
        "summary.csv", "summary.json"]  # fmt: skip
    assert mine.read_bytes() == MINE


def test_the_summary_keeps_earlier_rows(lab, tmp_path):
    for name in ("one", "two", "one"):
        done = score(lab, lab / "edf" / f"{name}.edf", "--out", tmp_path / "out", "--formats", "csv")
        assert done.returncode == 0, said(done)
    table = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert [Path(source).name for source in table["source"]] == ["one.edf", "two.edf"]


@pytest.mark.parametrize("name", ["summary.csv", "one.png", "one.scored.annot", "one.statistics.json"])
def test_a_labs_own_files_beside_its_recordings_stay(lab, tmp_path, name):
    put(tmp_path / "lab" / "one.edf", (lab / "edf" / "one.edf").read_bytes())
    mine = put(tmp_path / "lab" / name)
    done = score(lab, tmp_path / "lab", "--out", tmp_path / "lab")
    assert done.returncode == 1
    assert f"{name} is there, and is not known to be made by hypnoflow" in said(done)
    assert mine.read_bytes() == MINE


# --- 8, 17: names of any bytes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["C.UTF-8", "C", "en_US.ISO-8859-1"])
def test_names_of_any_bytes_are_scored_in_any_locale(lab, tmp_path, locale):
    names = [b"n\xff.edf", b"a\x1b[31mred\nnew line.edf", b"$x^2$ and $.edf", b"=1+1.edf", "träume.edf".encode()]
    for name in names:
        put(tmp_path / "in" / os.fsdecode(name), (lab / "edf" / "one.edf").read_bytes())
    words = ("score", tmp_path / "in", "--model", lab / "net.ckpt", "--threads", "1", "--out", tmp_path / "out")
    done = afresh(*words, env={"LC_ALL": locale})
    assert done.returncode == 0, said(done)
    assert b"\x1b[31m" not in done.stdout + done.stderr
    assert "5 scored" in said(done)
    for name in names:
        assert (tmp_path / "out" / os.fsdecode(name.replace(b".edf", b".png"))).stat().st_size > 1000
    rows = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert len(rows) == 5
    assert not rows["recording"].str.startswith(("=", "+", "-", "@")).any()


def test_a_name_that_is_no_text_costs_harmonize_that_recording_and_inspect_nothing(lab, tmp_path):
    for name in (b"n\xff.edf", b"fine.edf"):
        put(tmp_path / "in" / os.fsdecode(name), (lab / "edf" / "one.edf").read_bytes())
    done = hypnoflow("harmonize", tmp_path / "in", "--out", tmp_path / "all.zarr")
    assert done.returncode == 1
    assert r"n\xff.edf: the name of the file, or of its hypnogram, is not valid UTF-8: rename it" in said(done)
    assert recordings(tmp_path / "all.zarr") == ["fine"]
    looked = hypnoflow("inspect", tmp_path / "in")
    assert looked.returncode == 0, said(looked)
    assert said(looked).count(" usable ") == 2


# --- 9: the config ---------------------------------------------------------------------------------------------


def test_an_edited_config_stays_and_an_unedited_one_is_written_anew(tmp_path):
    root = Path(__file__).parents[2]
    for name in ("envs/requirements.txt", "pyproject.toml", "config.yaml", "envs/hypnoflow.yaml"):
        put(tmp_path / name, (root / name).read_bytes())
    put(tmp_path / "workflow" / "schemas" / "config.schema.json",
        (root / "workflow" / "schemas" / "config.schema.json").read_bytes())  # fmt: skip
    assert hypnoflow("config", "--folder", tmp_path).returncode == 0
    edited = put(tmp_path / "config.yaml", (root / "config.yaml").read_bytes().replace(b"seed: 20261", b"seed: 7", 1))
    before = edited.read_bytes()
    done = hypnoflow("config", "--folder", tmp_path)
    assert done.returncode == 1
    assert "was edited since `hypnoflow config` wrote it" in said(done)
    assert edited.read_bytes() == before


# --- 11: sizes that are stated ---------------------------------------------------------------------------------


def limited(words):
    """Run the program with 3 GB only."""
    return hypnoflow(*words, memory_gb=3)


def peak_mb(words):
    """Return what a run says, and its largest memory, MB."""
    code = "import resource, subprocess, sys; r = subprocess.run(sys.argv[1:]); " \
           "print('PEAK', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, PROGRAM, *map(os.fspath, words)], capture_output=True, timeout=300
    )
    return said(done), int(done.stdout.split()[-1])


def test_a_checkpoint_that_states_a_huge_network_is_refused_before_it_is_built(lab, tmp_path):
    content = torch.load(lab / "net.ckpt", weights_only=True)
    content["options"] = {"depth": 12, "first_filters": 256, "complexity": 100.0, "attention_hidden": 4096}
    torch.save(content, tmp_path / "net.ckpt")
    text, mb = peak_mb(["score", lab / "edf" / "one.edf", "--model", tmp_path / "net.ckpt", "--out", tmp_path / "out"])
    assert "the weights are not those of 'anysleep'" in text
    assert mb < 1000
    content["options"]["first_filters"] = 10**9
    torch.save(content, tmp_path / "net.ckpt")
    text, mb = peak_mb(["score", lab / "edf" / "one.edf", "--model", tmp_path / "net.ckpt", "--out", tmp_path / "out"])
    assert "less than or equal to 256" in text
    assert mb < 1000


def test_a_tensor_of_one_number_that_stands_for_many_is_refused(lab, tmp_path):
    content = torch.load(lab / "net.ckpt", weights_only=True)
    content["state_dict"]["huge"] = torch.zeros(1).expand(10**10)
    torch.save(content, tmp_path / "net.ckpt")
    text, mb = peak_mb(["score", lab / "edf" / "one.edf", "--model", tmp_path / "net.ckpt", "--out", tmp_path / "out"])
    assert "holds something else than tensors" in text
    assert mb < 1000


@pytest.mark.parametrize("array", ["eeg", "stage"])
def test_a_store_that_states_a_huge_shape_is_refused(lab, tmp_path, array):
    subprocess.run(["cp", "-r", lab / "one.zarr", tmp_path / "a.zarr"], check=True)
    path = tmp_path / "a.zarr" / "one" / array / "zarr.json"
    facts = json.loads(path.read_text())
    facts["shape"][-1] = 10**11
    facts["chunk_grid"]["configuration"]["chunk_shape"][-1] = 10**11
    path.write_text(json.dumps(facts))
    text, mb = peak_mb(["score", tmp_path / "a.zarr", "--model", lab / "net.ckpt", "--out", tmp_path / "s.zarr"])
    assert "the array states" in text
    assert mb < 1000
    with pytest.raises(Exception, match="the array states"):
        import hypnoflow

        hypnoflow.open_recording(tmp_path / "a.zarr", "one")


# --- 15: no room, no right, no patience ------------------------------------------------------------------------


def test_ctrl_c_leaves_the_table_and_the_summary(lab, tmp_path):
    for i in range(12):
        put(tmp_path / "in" / f"{i:02d}.edf", (lab / "edf" / "one.edf").read_bytes())
    words = [
        PROGRAM,
        "score",
        tmp_path / "in",
        "--model",
        lab / "net.ckpt",
        "--out",
        tmp_path / "out",
        "--threads",
        "1",
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not (tmp_path / "out" / "02.statistics.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    table = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert 3 <= len(table) < 12
    assert f"{len(table)} scored" in out
    assert not [p for p in (tmp_path / "out").iterdir() if p.name.endswith(".partial")]
    assert score(lab, tmp_path / "in", "--out", tmp_path / "out").returncode == 0
    assert len(pd.read_csv(tmp_path / "out" / "summary.csv")) == 12


@contextmanager
def mounted(folder, option):
    """Have a small file system of its own under a folder."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", option, "none", folder], capture_output=True)
    if done.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_message_and_the_table_is_printed(lab, tmp_path):
    for name in ("a", "b", "c"):
        put(tmp_path / "in" / f"{name}.edf", (lab / "edf" / "one.edf").read_bytes())
    with mounted(tmp_path / "out", "size=64k"):
        done = score(lab, tmp_path / "in", "--out", tmp_path / "out")
    assert done.returncode == 1
    text = said(done)
    assert "0 scored, 3 failed" in text
    assert "No space left on device" in text


def test_a_folder_that_cannot_be_written_is_one_message(lab, tmp_path):
    with mounted(tmp_path / "out", "ro"):
        done = score(lab, lab / "edf", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "cannot be written (Read-only file system): name another folder" in said(done)


# --- 16: odd files and words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        {3: 4},
        {"format": torch.zeros(5), "state_dict": {}},
        [1, 2],
        {"format": "hypnoflow checkpoint 2", "training": [1]},
        {"preprocessing": {"version": torch.zeros(3)}},
        {"classes": torch.zeros(3)},
        {"classes": [1] * 10**6},
        {"input": torch.zeros(3)},
        {"network": "no such network"},
        {"options": {"depth": "deep"}},
        {"training": {"calibration": [1, 2]}},
    ],
)
def test_an_odd_checkpoint_is_one_message(lab, tmp_path, content):
    whole = torch.load(lab / "net.ckpt", weights_only=True)
    odd = content if not isinstance(content, dict) or "format" in content or 3 in content else {**whole, **content}
    if isinstance(odd, dict) and "training" in odd and "format" in content:
        odd = {**whole, **content}
    torch.save(odd, tmp_path / "net.ckpt")
    done = hypnoflow("score", lab / "edf" / "one.edf", "--model", tmp_path / "net.ckpt", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "net.ckpt" in said(done)


@pytest.mark.parametrize("words", [["--out", "."], ["--out", ".."], ["--out", "/"], ["--out", "a/"], ["--out", ""]])
def test_an_odd_place_for_a_store_is_one_message(lab, tmp_path, words):
    done = score(lab, lab / "one.zarr", *words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    said(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["[]", "3", "{", '{"attributes": 3}', '{"attributes": {"hypnoflow": "scores"}}', "\0"])
def test_an_odd_store_is_one_message(lab, tmp_path, text):
    put(tmp_path / "a.zarr" / "zarr.json", text.encode())
    done = score(lab, tmp_path / "a.zarr", "--out", tmp_path / "s.zarr")
    assert done.returncode == 1
    assert "a.zarr" in said(done)


def test_a_store_made_by_another_program_is_no_store_of_ours(lab, tmp_path):
    zarr.open_group(tmp_path / "a.zarr", mode="w").create_array("x", data=np.arange(3))
    done = score(lab, tmp_path / "a.zarr", "--out", tmp_path / "s.zarr")
    assert done.returncode == 1
    assert "no store made by this version of hypnoflow" in said(done)


def test_an_odd_level_of_the_log_is_one_message():
    done = hypnoflow("weights", "list", env={"HYPNOFLOW_LOG_LEVEL": "verbose"})
    assert done.returncode == 1
    assert "known: debug, info, warning, error" in said(done)

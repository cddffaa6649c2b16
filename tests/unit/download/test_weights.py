"""Published weights over HTTP: cached, checked, and one clear message where they cannot be had."""

from __future__ import annotations

import hashlib
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.contract.test_models import unsettle
from tests.edf_bytes import Raw, edf_bytes

from hypnoflow.checkpoints import release
from hypnoflow.checkpoints.published import load_published
from hypnoflow.checkpoints.release import releases
from hypnoflow.cli import main
from hypnoflow.models import build_model

NAME, FILE = "anysleep-run1", "/anysleep-run1.pth"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:9f305c0f81a5\nsize 12763675\n"


@pytest.fixture(scope="module")
def bodies(tmp_path_factory) -> dict[str, bytes]:
    """Files of AnySleep and U-Sleep in the published format."""
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    made = {}
    for name, network in ((NAME, "anysleep"), ("usleep-run1", "usleep")):
        torch.manual_seed(5)
        torch.save({"state_dict": unsettle(build_model(network)).state_dict()}, path)
        made[name] = path.read_bytes()
    return made


@pytest.fixture
def published(site, bodies, tmp_path, monkeypatch) -> Path:
    """A server that has the files, a table that knows them, and an empty cache; returns the files' folder there."""
    table = releases()
    for name, body in bodies.items():
        table[name] = replace(table[name], sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
        site.files[f"/{name}.pth"] = body
    monkeypatch.setattr(release, "releases", lambda: table)
    monkeypatch.setenv("HYPNOFLOW_WEIGHTS_URL", site.url)
    monkeypatch.setenv("HYPNOFLOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def run(monkeypatch, *arguments: str) -> int:
    """Return the exit code of the command line."""
    monkeypatch.setattr(sys, "argv", ["hypnoflow", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def failure(monkeypatch, capfd) -> str:
    """Run `weights get` and return its one error line."""
    assert run(monkeypatch, "weights", "get", NAME) == 1
    said = capfd.readouterr()
    (line,) = [line for line in said.err.splitlines() if "error: " in line]
    assert said.err.rstrip().endswith(line)  # nothing after it: no traceback
    assert said.out == ""
    return line


def test_get_downloads_once_and_prints_where_the_file_is(published, site, bodies, monkeypatch, capfd):
    for _ in range(2):
        assert run(monkeypatch, "weights", "get", NAME) == 0
        assert capfd.readouterr().out.splitlines() == [str(published / "anysleep-run1.pth")]
    assert (published / "anysleep-run1.pth").read_bytes() == bodies[NAME]
    assert site.paths() == [FILE]
    assert kept(published) == ["anysleep-run1.pth"]


def test_get_copies_several_into_a_folder(published, bodies, tmp_path, monkeypatch, capfd):
    out = tmp_path / "new" / "folder"
    assert run(monkeypatch, "weights", "get", *bodies, "--out", out) == 0
    assert capfd.readouterr().out.splitlines() == [str(out / f"{name}.pth") for name in bodies]
    assert {name: (out / f"{name}.pth").read_bytes() for name in bodies} == bodies
    assert len(kept(out)) == 2


def test_a_copy_is_left_as_it_is_and_another_file_of_its_name_is_not_replaced(
    published, bodies, tmp_path, monkeypatch, capfd
):
    copy = tmp_path / "anysleep-run1.pth"
    for _ in range(2):
        assert run(monkeypatch, "weights", "get", NAME, "--out", tmp_path) == 0
        assert copy.read_bytes() == bodies[NAME]
    copy.write_bytes(b"own")
    assert run(monkeypatch, "weights", "get", NAME, "--out", tmp_path) == 1
    assert f"{copy} is there and is another file: move it away" in capfd.readouterr().err
    assert copy.read_bytes() == b"own"


def test_out_that_is_a_file_is_refused(published, tmp_path, monkeypatch, capfd):
    (tmp_path / "out").touch()
    assert run(monkeypatch, "weights", "get", NAME, "--out", tmp_path / "out") == 1
    assert "choose another folder with --out" in capfd.readouterr().err


def test_list_names_all_and_says_which_are_here(published, site, monkeypatch, capfd):
    assert run(monkeypatch, "weights", "get", "usleep-run1") == 0
    capfd.readouterr()
    assert run(monkeypatch, "weights", "list") == 0
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == list(releases())
    assert [line[0] for line in lines if len(line) > 4] == ["usleep-run1"]
    assert lines[-3][1:5] == ["usleep", "12.6", "MB", str(published / "usleep-run1.pth")]
    assert site.paths() == ["/usleep-run1.pth"]


def test_unknown_name_is_refused_before_anything_is_fetched(published, site, monkeypatch, capfd):
    assert run(monkeypatch, "weights", "get", NAME, "anysleep-run9") == 1
    assert "did you mean 'anysleep-run" in capfd.readouterr().err
    assert site.asked == []


def test_load_published_takes_the_name(published, bodies):
    model = load_published(NAME)
    assert sum(p.numel() for p in model.parameters()) == 3_157_856
    assert (published / "anysleep-run1.pth").stat().st_size == len(bodies[NAME])


# --- what can go wrong ---------------------------------------------------------------------------------------


def test_file_that_is_not_there(published, site, monkeypatch, capfd):
    del site.files[FILE]
    message = failure(monkeypatch, capfd)
    assert "anysleep-run1.pth: 127.0.0.1" in message
    assert "answers 404" in message
    assert f"fetch {site.url}anysleep-run1.pth elsewhere" in message
    assert kept(published) == []


def test_offline(published, monkeypatch, capfd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        monkeypatch.setenv("HYPNOFLOW_WEIGHTS_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/")
        message = failure(monkeypatch, capfd)
    assert "cannot be reached (ConnectionError): offline?" in message
    assert f"copy it to {published / 'anysleep-run1.pth'}" in message
    assert kept(published) == []


def test_offline_with_the_file_in_the_cache_nothing_is_asked(published, bodies, monkeypatch, capfd):
    published.mkdir(parents=True)
    (published / "anysleep-run1.pth").write_bytes(bodies[NAME])
    monkeypatch.setenv("HYPNOFLOW_WEIGHTS_URL", "http://127.0.0.1:9/")
    assert run(monkeypatch, "weights", "get", NAME) == 0
    assert capfd.readouterr().out.strip() == str(published / "anysleep-run1.pth")


def test_damaged_file_in_the_cache_is_fetched_again(published, bodies, site, monkeypatch, capfd):
    published.mkdir(parents=True)
    (published / "anysleep-run1.pth").write_bytes(bodies[NAME][:1000])
    assert run(monkeypatch, "weights", "get", NAME) == 0
    assert (published / "anysleep-run1.pth").read_bytes() == bodies[NAME]
    assert site.paths() == [FILE]


WRONG = {
    "another sha256": lambda body: body[:-1] + bytes([body[-1] ^ 1]),
    "sent a file of 1000 bytes in place of": lambda body: body[:1000],
    "sent a Git-LFS pointer of": lambda body: POINTER,
    "sent a web page in place of": lambda body: b"<!doctype html>\n<html>",
    "sent a file of 0 bytes": lambda body: b"",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_not_the_file_is_named_and_not_kept(published, bodies, site, monkeypatch, capfd, words):
    site.files[FILE] = WRONG[words](bodies[NAME])
    message = failure(monkeypatch, capfd)
    assert words.replace("another sha256", "sent another file: its sha256 is not") in message
    assert "nothing was kept" in message
    assert kept(published) == []


def test_connection_that_ends_half_way_leaves_nothing(published, site, monkeypatch, capfd):
    site.tricks[FILE] = ["cut"]
    assert "anysleep-run1.pth: " in failure(monkeypatch, capfd)
    assert kept(published) == []
    assert run(monkeypatch, "weights", "get", NAME) == 0


@pytest.mark.parametrize("status", [403, 500])
def test_refusal_is_said_with_its_number(published, site, monkeypatch, capfd, status):
    site.tricks[FILE] = [status]
    assert f"answers {status}" in failure(monkeypatch, capfd)


@pytest.mark.parametrize(
    "headers, words",
    [
        (["Transfer-Encoding: chunked"], "bytes arrive in place of the"),
        (["Content-Length: 999999999"], "999999999 bytes are announced in place of the"),
        (["Content-Length: abc"], "states a length of 'abc', which is none"),
    ],
)
def test_more_than_the_published_file_is_cut_and_not_kept(published, site, monkeypatch, capfd, headers, words):
    def flood(handler):
        handler.head(200, *headers)
        handler.flood(10**9, chunked="chunked" in headers[0])

    site.tricks[FILE] = [flood]
    message = failure(monkeypatch, capfd)
    assert words in message
    assert "nothing was kept" in message
    assert site.sent < 40_000_000
    assert kept(published) == []


def test_two_that_fetch_at_once_end_with_the_same_file(published, bodies, site):
    both = threading.Barrier(2, timeout=60)

    def at_once(handler):
        both.wait()
        handler.send(bodies[NAME], cut=False)

    site.tricks[FILE] = [at_once, at_once]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(release.fetch, [NAME, NAME]))
    assert found == [published / "anysleep-run1.pth"] * 2
    assert found[0].read_bytes() == bodies[NAME]
    assert kept(published) == ["anysleep-run1.pth"]


def test_a_link_in_the_cache_to_another_file_is_replaced_and_not_written_through(published, bodies, tmp_path):
    (tmp_path / "own.pth").write_bytes(b"own")
    published.mkdir(parents=True)
    (published / "anysleep-run1.pth").symlink_to(tmp_path / "own.pth")
    assert release.fetch(NAME).read_bytes() == bodies[NAME]
    assert (tmp_path / "own.pth").read_bytes() == b"own"


def test_cache_that_cannot_be_made_is_named(published, tmp_path, monkeypatch, capfd):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HYPNOFLOW_CACHE", str(tmp_path / "file"))
    message = failure(monkeypatch, capfd)
    assert "cannot be kept in" in message
    assert "set HYPNOFLOW_CACHE" in message


# --- everything else works the same with a name --------------------------------------------------------------


def write_night(path: Path, *labels: str) -> Path:
    rng = np.random.default_rng(3)
    signals = [Raw(rng.normal(0, 1000, (60, 100)).astype(int), label) for label in labels]
    path.write_bytes(edf_bytes(signals))
    return path


@pytest.mark.parametrize("name", [NAME, "usleep-run1"])
def test_score_takes_names_and_published_files_alike(published, bodies, tmp_path, monkeypatch, name):
    night = write_night(tmp_path / "night.edf", "C3-M2", "C4-M1", "E1-M2")
    (tmp_path / "own.pth").write_bytes(bodies[name])
    tables = []
    for model in (name, tmp_path / "own.pth"):
        out = tmp_path / f"out{len(tables)}"
        assert run(monkeypatch, "score", night, "--model", model, "--out", out) == 0
        tables.append(pd.read_csv(out / "night.hypnodensity_1s.csv"))
    assert len(tables[0]) == 60
    pd.testing.assert_frame_equal(*tables)


def test_usleep_without_an_eog_fails_by_a_message_that_says_what_to_do(published, tmp_path, monkeypatch, caplog):
    night = write_night(tmp_path / "night.edf", "C3-M2", "C4-M1")
    assert run(monkeypatch, "score", night, "--model", "usleep-run1", "--out", tmp_path / "out") == 1
    assert "night.edf: the network takes EEG + EOG, and no EOG channel is left for it; found C3-M2 (EEG)" in caplog.text
    assert "one of the AnySleep networks" in caplog.text
    assert "Traceback" not in caplog.text


def test_score_with_an_unknown_name_ends_in_one_message(published, tmp_path, monkeypatch, capfd):
    assert run(monkeypatch, "score", tmp_path / "night.edf", "--model", "anyslep-run1", "--out", tmp_path / "o") == 1
    assert "did you mean 'anysleep-run" in capfd.readouterr().err

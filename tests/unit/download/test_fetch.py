"""Fetching files from a server that stops, lies, refuses or forgets; and going on afterwards."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from pathlib import Path

import pytest

from hypnoflow.download import client as client_module
from hypnoflow.download import fetch as run
from hypnoflow.download._files import RemoteFile, check_path, first_recordings
from hypnoflow.download._folder import OutFolder
from hypnoflow.download.client import Client
from hypnoflow.download.fetch import download
from hypnoflow.download.sums import SumsServer
from hypnoflow.errors import CohortError

BODY = bytes(range(256)) * 20
NAMES = [f"n{i}" for i in range(1, 4)]


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def serve(site, files: dict[str, bytes]) -> SumsServer:
    """Put files and their list of sums on the site, as PhysioNet does."""
    site.files |= {f"/{path}": body for path, body in files.items()}
    site.files["/SHA256SUMS.txt"] = "".join(f"{sha(body)} {path}\n" for path, body in files.items()).encode()
    return SumsServer(site.url, keep=r"(?P<recording>n\d)\.edf|table\.csv")


@pytest.fixture
def source(site):
    files = {f"{name}.edf": BODY + name.encode() for name in NAMES}
    return serve(site, {**files, "table.csv": b"a,b\n", "README": b"x"})


class Pauses(list):
    """What the client waited for, s."""

    def __call__(self, pause_s: float) -> None:
        self.append(pause_s)


@pytest.fixture
def pauses():
    return Pauses()


@pytest.fixture
def client(pauses):
    return Client(sleep=pauses, timeout_s=5)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


WHOLE = {**{f"{name}.edf": BODY + name.encode() for name in NAMES}, "table.csv": b"a,b\n"}


def test_everything_arrives_as_it_was_and_nothing_else(source, client, tmp_path, pauses):
    assert download(source, tmp_path / "out", None, client) == {}
    assert tree(tmp_path / "out") == WHOLE
    assert pauses == []


def test_second_run_fetches_nothing_but_the_listing(source, client, site, tmp_path):
    download(source, tmp_path, None, client)
    site.asked.clear()
    assert download(source, tmp_path, None, client) == {}
    assert site.paths() == ["/SHA256SUMS.txt"]


def test_n_takes_the_first_recordings_and_all_tables(source, client, tmp_path):
    download(source, tmp_path, 2, client)
    assert set(tree(tmp_path)) == {"n1.edf", "n2.edf", "table.csv"}


# --- resuming ------------------------------------------------------------------------------------------------


def test_cut_transfer_goes_on_close_to_where_it_stopped(client, site, tmp_path, pauses):
    body = BODY * 200  # 1 MB
    source = serve(site, {"n1.edf": body})
    site.tricks["/n1.edf"] = ["cut"]
    assert download(source, tmp_path, None, client) == {}
    first, second = (asked for path, asked in site.asked if path == "/n1.edf")
    assert first == ""
    start = int(second.removeprefix("bytes=").removesuffix("-"))
    assert len(body) // 2 - 2**16 <= start <= len(body) // 2
    assert (tmp_path / "n1.edf").read_bytes() == body
    assert pauses == [1.0]


def begin(out: Path, path: str, body: bytes) -> None:
    """Leave what a killed download leaves."""
    folder = OutFolder(out)
    with folder.part(path) as part:
        part.write(body)
    folder.close(finished=False)


def test_part_of_an_earlier_run_is_used(source, client, site, tmp_path):
    begin(tmp_path, "n2.edf", WHOLE["n2.edf"][:1000])
    download(source, tmp_path, None, client)
    assert ("/n2.edf", "bytes=1000-") in site.asked
    assert tree(tmp_path) == WHOLE


def test_whole_part_of_an_earlier_run_needs_only_the_check(source, client, site, tmp_path):
    begin(tmp_path, "n2.edf", WHOLE["n2.edf"])
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == WHOLE


@pytest.mark.parametrize("stale", [b"other bytes", bytes(10**4)])
def test_part_that_does_not_fit_is_fetched_anew(source, client, tmp_path, stale):
    begin(tmp_path, "n2.edf", stale)
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == WHOLE


def test_server_without_ranges_sends_the_file_from_the_start(source, client, site, tmp_path):
    site.ranges = False
    site.tricks["/n1.edf"] = ["cut"]
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == WHOLE


# --- misbehaviour --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trick", [500, 503, 429])
def test_passing_trouble_is_waited_out(source, client, site, tmp_path, pauses, trick):
    site.tricks["/n1.edf"] = [trick, trick, trick]
    site.tricks["/SHA256SUMS.txt"] = [trick]
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == WHOLE
    assert pauses == [1.0, 1.0, 2.0, 4.0]


def test_the_server_may_say_how_long_to_wait_but_not_for_ever(source, client, site, tmp_path, pauses):
    site.headers["Retry-After"] = "20"
    site.tricks["/n1.edf"] = [503]
    download(source, tmp_path, None, client)
    site.headers["Retry-After"] = "86400"
    site.tricks["/SHA256SUMS.txt"] = [503]
    download(source, tmp_path, None, client)
    assert pauses == [20.0, 60.0]


def test_silent_server_is_asked_again(source, site, tmp_path, pauses):
    site.tricks["/n1.edf"] = ["slow"]
    assert download(source, tmp_path, None, Client(sleep=pauses, timeout_s=0.3)) == {}
    assert pauses == [1.0]
    assert tree(tmp_path) == WHOLE


def test_what_fails_is_listed_and_the_rest_arrives_and_the_next_run_completes_it(source, client, site, tmp_path):
    site.tricks["/n1.edf"] = [403]
    site.tricks["/n2.edf"] = [500] * 5
    failed = download(source, tmp_path, None, client)
    assert "refuses it (403)" in failed["n1.edf"]
    assert "answers 500 (5 attempts)" in failed["n2.edf"]
    assert json.loads((tmp_path / "download.json").read_text())["failed"] == failed
    lines = (tmp_path / "failed.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["n1.edf", "n2.edf"]
    assert (tmp_path / "n3.edf").exists()
    site.asked.clear()
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == WHOLE
    assert site.paths() == ["/SHA256SUMS.txt", "/n1.edf", "/n2.edf"]


def test_wrong_content_is_fetched_once_more_and_then_refused(source, client, site, tmp_path):
    site.tricks["/n1.edf"] = [b"wrong"]
    site.tricks["/n2.edf"] = [b"wrong"] * 9
    failed = download(source, tmp_path, None, client)
    assert set(failed) == {"n2.edf"}
    assert f"what arrives is not the published file: sha256 {sha(b'wrong')} in place of" in failed["n2.edf"]
    assert site.paths().count("/n2.edf") == 2
    assert set(tree(tmp_path)) == {"n1.edf", "n3.edf", "table.csv", "failed.txt", "download.json"}


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_web_page_in_place_of_a_file_is_recognised(source, client, site, tmp_path, content_type):
    site.tricks["/n1.edf"] = [b"\n<!DOCTYPE html><title>Sign in</title>"] * 9
    site.types["/n1.edf"] = content_type
    failed = download(source, tmp_path, None, client)
    assert "a web page in place of the file" in failed["n1.edf"]
    assert site.paths().count("/n1.edf") == 1
    assert not list(tmp_path.glob("n1*"))


def test_missing_files_are_named_and_do_not_end_the_run(client, site, tmp_path):
    files = {f"n{i}.edf": b"%d" % i for i in range(10)}
    source = serve(site, files)
    for i in range(7):
        del site.files[f"/n{i}.edf"]
    failed = download(source, tmp_path, None, client)
    assert set(failed) == {f"n{i}.edf" for i in range(7)}
    assert all("does not have it (404)" in why for why in failed.values())
    assert (tmp_path / "n9.edf").exists()


def test_a_server_that_refuses_everything_is_left_alone_after_five(client, site, tmp_path):
    source = serve(site, {f"n{i}.edf": b"%d" % i for i in range(9)})
    site.tricks |= {f"/n{i}.edf": [403] for i in range(9)}
    failed = download(source, tmp_path, None, client)
    assert len(failed) == 9
    assert len(site.asked) == 6
    assert failed["n8.edf"] == "not tried, after 5 failures in a row"


def test_listing_that_never_comes_is_an_error(source, client, site, tmp_path):
    site.tricks["/SHA256SUMS.txt"] = [500] * 5
    with pytest.raises(CohortError, match=r"SHA256SUMS\.txt: the server answers 500 \(5 attempts\)"):
        download(source, tmp_path, None, client)


def test_nobody_there_is_an_error(client, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(CohortError, match=r"the connection failed \(ConnectionError\) \(5 attempts\)"):
        download(SumsServer("http://127.0.0.1:9/", keep=".*"), tmp_path, None, client)


# --- disk ----------------------------------------------------------------------------------------------------


def failing(kind: int):
    def link(part, name, **folders):
        raise OSError(kind, os.strerror(kind), part)

    return link


@pytest.mark.parametrize(
    "kind, words",
    [
        (errno.ENOSPC, "no space is left for .*free some and run again"),
        (errno.EDQUOT, "no space is left for"),
        (errno.EACCES, r"/\.hypnoflow-\w+-\w+\.part cannot be written: Permission denied; choose another folder"),
        (errno.EROFS, "cannot be written: Read-only file system"),
        (errno.EIO, r"\.part: Input/output error"),
    ],
)
def test_trouble_with_the_disk_ends_the_run_in_one_message(source, client, tmp_path, monkeypatch, kind, words):
    begin(tmp_path, "n1.edf", b"")  # so that the record is there, which is linked to its name, too
    begin(tmp_path, "n1.edf", WHOLE["n1.edf"])
    monkeypatch.setattr(os, "link", failing(kind))
    with pytest.raises(CohortError, match=words) as caught:
        download(source, tmp_path, None, client)
    assert "\n" not in str(caught.value)


def test_full_disk_in_the_middle_of_a_file_is_no_server_trouble(source, client, site, tmp_path, monkeypatch):
    class Full(io.BufferedRandom):
        def write(self, chunk):
            raise OSError(errno.ENOSPC, "No space left on device")

    opened = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda fd, mode: Full(io.FileIO(fd, "r+")) if "+" in mode else opened(fd, mode))
    with pytest.raises(CohortError, match="no space is left"):
        download(source, tmp_path, None, client)
    assert site.paths().count("/n1.edf") == 1


def test_a_file_in_place_of_the_folder_is_named(source, client, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(CohortError, match="out"):
        download(source, tmp_path / "out", None, client)


# --- paths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../x.edf", "a/../../x", "/etc/x", "..", "", "a\\..\\x", "C:/x", "a\0b", "a/.."])
def test_paths_that_leave_the_folder_are_refused(path):
    with pytest.raises(CohortError, match="nothing was downloaded"):
        check_path(path)


@pytest.mark.parametrize(
    "path, words",
    [
        ("a\x1b[2Jb.edf", "characters that no name has"),
        ("a\nb.edf", "characters that no name has"),
        ("a" * 256, "is too long"),
        ("ä" * 128, "is too long"),
        (".hypnoflow-download.json", "kept for files of our own"),
        ("failed.txt", "kept for files of our own"),
    ],
)
def test_paths_that_are_no_names_of_data_are_refused(path, words):
    with pytest.raises(CohortError, match=words):
        check_path(path)


def test_paths_below_the_folder_are_allowed():
    check_path("a/b..c/x y.edf")
    check_path("ä" * 127)


def test_listing_with_a_path_that_leaves_the_folder_stops_everything(client, site, tmp_path):
    site.files["/SHA256SUMS.txt"] = f"{sha(b'x')}  n1.edf\n{sha(b'x')}  ../n2.edf\n".encode()
    source = SumsServer(site.url, keep=r"(?P<recording>.*)\.edf")
    with pytest.raises(CohortError, match=r"lists '\.\./n2\.edf'"):
        download(source, tmp_path / "out", None, client)
    assert list(tmp_path.iterdir()) == []


def test_first_recordings_follow_the_servers_order():
    files = [RemoteFile(p, (), recording=r) for p, r in (("t", ""), ("2", "b"), ("1", "a"), ("2x", "b"), ("3", "c"))]
    assert [f.path for f in first_recordings(files, 2)] == ["t", "2", "1", "2x"]
    assert [f.path for f in first_recordings(files, None)] == ["t", "2", "1", "2x", "3"]


def test_log_has_a_line_per_file_where_nobody_watches(source, client, tmp_path, caplog, monkeypatch):
    with caplog.at_level("INFO"):
        download(source, tmp_path, None, client)
    assert "4 files of 3 recordings" in caplog.text
    assert "1/4 n1.edf" in caplog.text
    assert run.GIVE_UP_AFTER == 5
    assert client_module.LONGEST_PAUSE_S == 60

"""The National Sleep Research Resource: its listing, its refusals, and the user's token, which nobody may see."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from hypnoflow.cli import main
from hypnoflow.cohorts import cohorts
from hypnoflow.download.client import Client
from hypnoflow.download.fetch import connect, download, source_of
from hypnoflow.download.nsrr import NsrrServer
from hypnoflow.download.sources import SOURCES
from hypnoflow.errors import CohortError, ConfigError

TOKEN = "12345-sEcReT_token.x"


def paths(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def item(path: str, body: bytes | None = None) -> dict:
    listed = {"full_path": path, "file_name": path.rpartition("/")[2], "is_file": body is not None}
    return (
        {**listed, "file_size": len(body), "file_checksum_md5": hashlib.md5(body).hexdigest()}
        if body is not None
        else listed
    )


def listing(slug: str, folder: str, token: str = TOKEN) -> str:
    return f"/api/v1/datasets/{slug}/files.json?" + urlencode({"path": folder, "auth_token": token})


@pytest.fixture
def nsrr(site, monkeypatch):
    """A small SHHS on the site; returns its source."""
    monkeypatch.setenv("NSRR_TOKEN", TOKEN)
    edfs, xmls = "polysomnography/edfs", "polysomnography/annotations-events-nsrr"
    tree = {
        f"{edfs}/shhs1/shhs1-200001.edf": b"edf one", f"{edfs}/shhs1/shhs1-200002.edf": b"edf two",
        f"{xmls}/shhs1/shhs1-200001-nsrr.xml": b"<PSGAnnotation/>", f"{xmls}/shhs1/shhs1-200002-nsrr.xml": b"<a/>",
        "datasets/shhs-harmonized-dataset-0.21.0.csv": b"nsrrid\n",
    }  # fmt: skip
    lists = {
        edfs: [item(f"{edfs}/shhs1"), item("elsewhere")],
        f"{edfs}/shhs1": [item(p, b) for p, b in tree.items() if p.startswith(edfs)],
        xmls: [item(f"{xmls}/shhs1")],
        f"{xmls}/shhs1": [item(p, b) for p, b in tree.items() if p.startswith(xmls)],
        "datasets": [item("datasets/archive"), item("datasets/README.md", b"x")]
        + [item(p, b) for p, b in tree.items() if p.startswith("datasets")],
    }  # fmt: skip
    site.files |= {f"/datasets/shhs/files/a/{TOKEN}/m/hypnoflow/{p}": b for p, b in tree.items()}
    site.files |= {listing("shhs", folder): json.dumps(items).encode() for folder, items in lists.items()}
    source = NsrrServer("shhs", url=site.url.rstrip("/"))
    return source, tree


def test_nsrr_signals_annotations_and_tables_arrive_where_discover_looks(nsrr, tmp_path):
    source, tree = nsrr
    assert download(source, tmp_path, None, connect(source)) == {}
    assert {p: (tmp_path / p).read_bytes() for p in paths(tmp_path)} == tree
    found = {f.recording: f.annotation_paths for f in cohorts.get("shhs").discover(tmp_path)}
    assert found == {
        f"shhs1-20000{i}": (f"polysomnography/annotations-events-nsrr/shhs1/shhs1-20000{i}-nsrr.xml",) for i in (1, 2)
    }


def test_nsrr_first_recording_comes_with_its_annotations_and_the_tables(nsrr, tmp_path):
    source, tree = nsrr
    download(source, tmp_path, 1, connect(source))
    assert paths(tmp_path) == {path for path in tree if "200002" not in path}


def test_slug_of_hpap_is_homepap_and_only_the_arm_with_eeg_is_fetched():
    source = source_of("hpap")
    assert (source.slug, source.part) == ("homepap", "/lab")
    others = ("abc", "ccshs", "cfs", "chat", "mesa", "mros", "shhs", "sof")
    assert [source_of(name).slug for name in others] == list(others)


def test_without_a_token_the_message_says_where_to_get_one(monkeypatch):
    monkeypatch.delenv("NSRR_TOKEN", raising=False)
    with pytest.raises(ConfigError, match=r"https://sleepdata\.org/token and set the environment variable NSRR_TOKEN"):
        connect(source_of("shhs"))


def test_open_cohorts_do_not_look_at_the_token(monkeypatch):
    monkeypatch.setenv("NSRR_TOKEN", TOKEN)
    assert connect(source_of("phys")).token == ""


@pytest.mark.parametrize(
    "body, words",
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "something else than a listing; either the token in NSRR_TOKEN"),
        (b'{"error": "x"}', "something else than a listing"),
        (b'[{"a": 1}]', "something else than a listing"),
        (b"3", "something else than a listing"),
        (b"[]", r"lists no file of shhs: either .* your request for shhs is not approved"),
    ],
)
def test_nsrr_listing_that_is_none_says_what_to_check(nsrr, site, tmp_path, body, words):
    source, _ = nsrr
    for path in [p for p in site.files if p.startswith("/api")]:
        site.files[path] = body
    with pytest.raises(CohortError, match=words):
        download(source, tmp_path, None, connect(source))


def test_nsrr_folder_that_lists_its_parent_is_not_followed_for_ever(nsrr, site, tmp_path):
    source, tree = nsrr
    path = listing("shhs", "polysomnography/edfs/shhs1")
    items = json.loads(site.files[path])
    loops = [item("polysomnography/edfs"), item("polysomnography/edfs/shhs1"), item("../other")]
    site.files[path] = json.dumps([*items, *loops]).encode()
    download(source, tmp_path, None, connect(source))
    assert paths(tmp_path) == set(tree)


def test_nsrr_path_that_leaves_the_folder_is_refused(nsrr, site, tmp_path):
    source, _ = nsrr
    evil = "polysomnography/edfs/../../../shhs1-200003.edf"
    path = listing("shhs", "polysomnography/edfs/shhs1")
    site.files[path] = json.dumps([*json.loads(site.files[path]), item(evil, b"x")]).encode()
    with pytest.raises(CohortError, match="would be written outside"):
        download(source, tmp_path / "out", None, connect(source))
    assert list(tmp_path.iterdir()) == []


TROUBLES = {
    "web page": lambda path: {path: [b"<!DOCTYPE html>"] * 9},
    "refused": lambda path: {path: [403]},
    "missing": lambda path: {path: [404]},
    "down": lambda path: {path: [500] * 9},
    "cut": lambda path: {path: ["cut"] * 9},
    "wrong": lambda path: {path: [b"wrong"] * 9},
    "odd": lambda path: {path: [418]},
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("where", ["file", "listing"])
def test_the_token_is_in_no_log_message_or_file(nsrr, site, tmp_path, caplog, capfd, monkeypatch, trouble, where):
    source, tree = nsrr
    asked = {
        "file": f"/datasets/shhs/files/a/{TOKEN}/m/hypnoflow/polysomnography/edfs/shhs1/shhs1-200001.edf",
        "listing": listing("shhs", "polysomnography/edfs"),
    }
    site.tricks |= TROUBLES[trouble](asked[where])
    monkeypatch.setitem(Client.__init__.__kwdefaults__, "sleep", lambda pause_s: None)
    monkeypatch.setitem(SOURCES, "shhs", source)
    monkeypatch.setattr(sys, "argv", ["hypnoflow", "download", "shhs", "--out", str(tmp_path / "out")])
    with caplog.at_level("DEBUG"), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    shown = capfd.readouterr()
    texts = [shown.out, shown.err, caplog.text, *(p.read_text() for p in tmp_path.rglob("*") if p.is_file())]
    assert "shhs" in shown.err
    assert any(TOKEN in path for path in site.paths())
    assert not any(TOKEN in text for text in texts)


def test_the_token_is_not_in_what_is_said_of_a_server_that_is_gone(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    source = NsrrServer("shhs", url="http://127.0.0.1:9")
    client = Client(TOKEN, source.refusal, sleep=lambda pause_s: None)
    with caplog.at_level("DEBUG"), pytest.raises(CohortError, match="the connection failed") as caught:
        download(source, tmp_path, None, client)
    assert "again in 8 s" in caplog.text
    assert TOKEN not in caplog.text + str(caught.getrepr(chain=True))


def test_the_token_is_not_in_what_a_debugger_or_a_traceback_shows_of_a_file(nsrr):
    source, tree = nsrr
    listed = source.files(connect(source))
    assert all(TOKEN in file.urls[0] for file in listed)
    assert TOKEN not in repr(listed)


def test_web_page_in_place_of_an_nsrr_file_is_explained(nsrr, site, tmp_path):
    source, _ = nsrr
    path = f"/datasets/shhs/files/a/{TOKEN}/m/hypnoflow/polysomnography/edfs/shhs1/shhs1-200001.edf"
    site.tricks[path] = [b"<html>files</html>"]
    site.types[path] = "text/html"
    failed = download(source, tmp_path, None, connect(source))
    assert len(failed) == 1
    why = next(iter(failed.values()))
    assert "a web page in place of the file; either the token in NSRR_TOKEN is not valid" in why


@pytest.mark.parametrize("token", ["a b", "x/../y", "tok\nen"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(monkeypatch, token):
    monkeypatch.setenv("NSRR_TOKEN", token)
    with pytest.raises(ConfigError, match="characters that no token has") as caught:
        connect(source_of("shhs"))
    assert token not in str(caught.value)


def test_command_ends_with_zero_when_all_is_there_and_names_the_folder(nsrr, monkeypatch, tmp_path, caplog):
    source, tree = nsrr
    monkeypatch.setitem(SOURCES, "shhs", source)
    monkeypatch.setattr(sys, "argv", ["hypnoflow", "download", "shhs", "--n", "1", "--out", str(tmp_path)])
    with caplog.at_level("INFO"), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert f"set science.cohorts.shhs.root to {tmp_path}" in caplog.text


def test_command_with_failures_lists_them_and_fails(nsrr, site, monkeypatch, tmp_path, capfd):
    source, _ = nsrr
    name = "polysomnography/edfs/shhs1/shhs1-200001.edf"
    site.tricks[f"/datasets/shhs/files/a/{TOKEN}/m/hypnoflow/{name}"] = [403]
    monkeypatch.setitem(SOURCES, "shhs", source)
    monkeypatch.setattr(sys, "argv", ["hypnoflow", "download", "shhs", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr().err
    assert ended.value.code == 1
    assert "1 files failed, all named in" in said
    assert name in said
    assert json.loads((tmp_path / "download.json").read_text())["failed"][name]

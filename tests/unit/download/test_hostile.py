"""Servers that send too much, state what cannot be, or never end."""

from __future__ import annotations

import json
import re
import tracemalloc
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from tests.unit.download.tricks import BODY, MB, SHORT, Listed, failure, flood

from hypnoflow.download import client as client_module
from hypnoflow.download import nsrr, s3
from hypnoflow.download._files import RemoteFile
from hypnoflow.download.fetch import download, source_of
from hypnoflow.download.nsrr import NsrrServer
from hypnoflow.download.sums import SumsServer
from hypnoflow.errors import CohortError

UUID = "095d6e40-5f19-55b6-a0ec-6e0ad3793da0"


def unlisted(source: Listed) -> Listed:
    return Listed([replace(file, size=None) for file in source.listed])


# --- sizes -----------------------------------------------------------------------------------------------------


def test_a_file_that_is_announced_larger_than_listed_is_refused_before_it_comes(pair, site, client, tmp_path):
    site.tricks["/bad.edf"] = [flood("Content-Length: 67108864")] * 2
    why = failure(pair, tmp_path, client)
    assert "67108864 bytes are announced in place of the 5120 that are published" in why
    assert site.sent < SHORT
    assert site.paths().count("/bad.edf") == 1


@pytest.mark.parametrize("chunked", [True, False])
def test_a_file_that_turns_out_larger_than_listed_is_cut(pair, site, client, tmp_path, chunked):
    site.tricks["/bad.edf"] = [flood(chunked=chunked)] * 2
    assert "bytes arrive in place of the 5120 that are published" in failure(pair, tmp_path, client)
    assert site.sent < SHORT


def test_a_file_of_unknown_size_is_cut_at_the_most_that_a_file_may_have(pair, site, client, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "MOST_FILE_BYTES", MB, raising=False)
    site.tricks["/bad.edf"] = [flood(chunked=True)] * 2
    why = failure(unlisted(pair), tmp_path, client)
    assert f"at least {MB + 65536} bytes arrive in place of the {MB} that a file may have" in why
    assert site.sent < SHORT


def test_the_most_that_a_file_may_have_is_more_than_a_day_of_64_channels():
    assert client_module.MOST_FILE_BYTES > 24 * 3600 * 2000 * 64 * 4


def test_more_than_was_announced_is_cut(pair, site, client, tmp_path):
    site.tricks["/bad.edf"] = [flood("Content-Length: 1000", chunked=True)] * 2
    assert "bytes arrive in place of the 1000 that were announced" in failure(unlisted(pair), tmp_path, client)
    assert site.sent < SHORT


@pytest.mark.parametrize(
    "headers, words",
    [
        (["Content-Length: abc"], "states a length of 'abc', which is none"),
        (["Content-Length: -5"], "states a length of '-5', which is none"),
        (["Content-Length: 1e3"], "states a length of '1e3', which is none"),
        (["Content-Length: \xb2"], "which is none"),
        (["Content-Length: "], "states a length of '', which is none"),
        (["Content-Length: " + "9" * 5000], "which is none"),
        (["Content-Length: 5", "Content-Length: 7"], "contradicts itself"),
        (["Content-Length: 999999999999999"], "999999999999999 bytes are announced in place of the 68719476736"),
        (["Content-Encoding: gzip", "Content-Length: 9"], r"is packed \(gzip\), although"),
    ],
)
def test_lengths_that_are_none_are_one_message(pair, site, client, tmp_path, headers, words):
    site.tricks["/bad.edf"] = [flood(*headers, n_bytes=1)] * 9
    assert re.search(words, failure(unlisted(pair), tmp_path, client))


def test_a_length_that_is_stated_twice_alike_is_believed(pair, site, client, tmp_path):
    def twice(handler):
        handler.head(200, "Content-Length: 5120", "Content-Length: 5120")
        handler.wfile.write(BODY)

    site.tricks["/bad.edf"] = [twice]
    assert download(pair, tmp_path, None, client) == {}


@pytest.mark.parametrize(
    "status, header, words",
    [
        (416, "Content-Range: bytes */" + "9" * 5000, "does not fit"),
        (503, "Retry-After: \xb2", "answers 503"),
        (206, "Content-Range: bytes 7-9/10", "resumed at another place"),
        (204, "X: y", "answers 204"),
        (304, "X: y", "answers 304"),
    ],
)
def test_odd_headers_and_statuses_are_one_message(pair, site, client, tmp_path, status, header, words):
    site.tricks["/bad.edf"] = [flood(header, "Content-Length: 0", status=status, n_bytes=0)] * 9
    assert words in failure(pair, tmp_path, client)


# --- listings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [True, False])
def test_a_listing_of_a_gigabyte_is_left_early_and_never_held(site, client, tmp_path, chunked):
    site.tricks["/SHA256SUMS.txt"] = [flood(chunked=chunked, n_bytes=10**9)]
    tracemalloc.start()
    try:
        with pytest.raises(CohortError, match="bytes arrive, and a listing may have 16777216") as caught:
            download(SumsServer(site.url, keep=".*"), tmp_path / "out", None, client)
        assert tracemalloc.get_traced_memory()[1] < 64 * MB
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert site.sent < 16 * MB + SHORT
    assert not (tmp_path / "out").exists()


def page(following: str, keys: int = 1) -> bytes:
    entry = f"<Contents><Key>{UUID}.h5</Key><Size>5</Size></Contents>" * keys
    return f"<L><NextContinuationToken>{following}</NextContinuationToken>{entry}</L>".encode()


@pytest.fixture
def bucket(site):
    return replace(source_of("dodh"), url=site.url, scorers_url=f"{site.url}scorers/")


def test_a_bucket_that_goes_on_where_it_was_is_left(bucket, site, client, tmp_path):
    site.files["/?list-type=2"] = site.files["/?list-type=2&continuation-token=a"] = page("b")
    site.files["/?list-type=2&continuation-token=b"] = page("a")
    site.tricks["/?list-type=2&continuation-token=b"] = [page("a")] * 5 + [page("")]  # so that no code asks for ever
    with pytest.raises(CohortError, match="goes on where it has been before, after 3 files: it would never end"):
        download(bucket, tmp_path, None, client)


@pytest.mark.parametrize(
    "limit, most, keys, words", [("MOST_PAGES", 5, 1, "5 files on 6 pages"), ("MOST_FILES", 25, 10, "30 files on 3")]
)
def test_a_bucket_of_ever_new_pages_is_left(bucket, site, client, tmp_path, monkeypatch, limit, most, keys, words):
    monkeypatch.setattr(s3, limit, most, raising=False)
    paths = ["/?list-type=2", *(f"/?list-type=2&continuation-token=t{i}" for i in range(40))]
    site.files |= {path: page(f"t{i}" if i < 39 else "", keys) for i, path in enumerate(paths)}
    with pytest.raises(CohortError, match=f"it has not ended after {words}"):
        download(bucket, tmp_path, None, client)


@pytest.mark.parametrize("size", ["-1", "abc", "1e9", "9" * 17, "9" * 5000, "٣"])
def test_a_bucket_with_a_size_that_is_none_is_one_message(bucket, site, client, tmp_path, size):
    site.files["/?list-type=2"] = page("").replace(b"<Size>5<", f"<Size>{size}<".encode())
    with pytest.raises(CohortError, match=r"which is no number of bytes up to 68719476736: nothing was downloaded"):
        download(bucket, tmp_path / "out", None, client)
    assert not (tmp_path / "out").exists()


EDFS = "polysomnography/edfs"


class Folders:
    """A listing of the NSRR that is made when it is asked for."""

    def __init__(self, site, items):
        self.site, self.items = site, items
        self.asked = 0

    def get(self, path, default=None):
        if not path.startswith("/api"):
            return default
        self.asked += 1
        folder = path.partition("path=")[2].partition("&")[0].replace("%2F", "/")
        return json.dumps(self.items(folder)).encode() if self.asked < 2000 else b"[]"


def folder(path: str) -> dict:
    return {"full_path": path, "is_file": False}


@pytest.mark.parametrize(
    "items",
    [
        lambda path: [folder(f"{path}/a")],
        lambda path: [folder(f"{path}/a"), folder(f"{path}/a"), folder(f"{path}/b")],
        lambda path: [folder(f"{path}/{i}") for i in range(1000)],
        lambda path: [{"full_path": f"{path}/{i}", "is_file": True} for i in range(1000)] + [folder(f"{path}/a")],
    ],
    ids=["deep", "twice", "wide", "many"],
)
def test_folders_without_end_are_left_at_a_stated_limit(site, client, tmp_path, monkeypatch, items):
    monkeypatch.setattr(nsrr, "MOST_FOLDERS", 50, raising=False)
    site.files = Folders(site, items)
    with pytest.raises(CohortError, match=r"sleepdata.org lists \d+ files in 51 folders of shhs and has not ended"):
        download(NsrrServer("shhs", url=site.url.rstrip("/")), tmp_path, None, client)
    assert site.files.asked == 51


def test_more_files_than_any_data_set_has_are_not_listed(site, client, tmp_path, monkeypatch):
    monkeypatch.setattr(nsrr, "MOST_FILES", 100, raising=False)
    site.files = Folders(site, lambda path: [{"full_path": f"{EDFS}/{i}.edf", "is_file": True} for i in range(101)])
    with pytest.raises(CohortError, match=r"lists 101 files in 1 folders of shhs and has not ended"):
        download(NsrrServer("shhs", url=site.url.rstrip("/")), tmp_path, None, client)


@pytest.mark.parametrize(
    "facts, words",
    [
        ('"file_size": "abc"', "size of 'abc', which is no number of bytes"),
        ('"file_size": -1', "size of '-1', which"),
        ('"file_size": 1e400', "size of 'inf', which"),
        ('"file_size": NaN', "size of 'nan', which"),
        ('"file_size": true', "size of 'True', which"),
        ('"file_size": [1]', r"size of '\[1\]', which"),
        ('"file_size": 99999999999999999', "size of '99999999999999999', which"),
        ('"file_size": 1, "file_checksum_md5": 5', "an MD5 of '5': nothing was downloaded"),
    ],
)
def test_facts_of_a_listed_file_that_are_none_are_one_message(site, client, tmp_path, facts, words):
    path = "/api/v1/datasets/shhs/files.json?" + urlencode({"path": EDFS, "auth_token": ""})
    site.files[path] = f'[{{"full_path": "{EDFS}/a.edf", "is_file": true, {facts}}}]'.encode()
    with pytest.raises(CohortError, match=words):
        download(NsrrServer("shhs", url=site.url.rstrip("/")), tmp_path, None, client)


def test_a_listing_of_brackets_is_none(site, client, tmp_path):
    path = "/api/v1/datasets/shhs/files.json?" + urlencode({"path": EDFS, "auth_token": ""})
    site.files[path] = b"[" * 100_000
    with pytest.raises(CohortError, match="something else than a listing"):
        download(NsrrServer("shhs", url=site.url.rstrip("/")), tmp_path, None, client)


def test_a_path_that_is_listed_for_two_files_is_refused_and_twice_the_same_is_one(site, client, tmp_path):
    site.files["/a.edf"] = BODY
    file = RemoteFile("a.edf", (f"{site.url}a.edf",), size=len(BODY))
    with pytest.raises(CohortError, match=r"lists two files 'a\.edf'"):
        download(Listed([file, replace(file, size=3)]), tmp_path, None, client)
    assert download(Listed([file, file]), tmp_path, None, client) == {}
    assert site.paths() == ["/a.edf"]

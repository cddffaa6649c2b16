"""Where a server sends us on to: the web, and never with the token, in plain text or into our own network."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from tests.unit.download.tricks import BODY, SHORT, failure, flood

from hypnoflow.download._redirects import RedirectError, next_address
from hypnoflow.download.client import Client
from hypnoflow.download.fetch import download
from hypnoflow.download.nsrr import NsrrServer

EDFS = "polysomnography/edfs"


def sends_to(location: str, status: int = 302):
    return lambda handler: handler.head(status, f"Location: {location}", "Content-Length: 0")


def resolving(client: Client, **known: str) -> Client:
    names = {name.replace("_", "."): address for name, address in known.items()}
    return Client(sleep=lambda pause_s: None, timeout_s=5, resolve=lambda host: [names[host]] if host in names else [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_the_range(pair, site, client, tmp_path, status):
    site.files["/elsewhere/bad.edf"] = BODY
    site.tricks["/bad.edf"] = ["cut", sends_to("elsewhere/bad.edf", status)]
    assert download(pair, tmp_path, None, client) == {}
    assert ("/elsewhere/bad.edf", "bytes=2560-") in site.asked
    assert (tmp_path / "bad.edf").read_bytes() == BODY


def test_a_redirect_to_itself_ends_after_ten(pair, site, client, tmp_path):
    site.tricks["/bad.edf"] = [sends_to("/bad.edf")] * 50
    assert "sends on to another address more than 10 times" in failure(pair, tmp_path, client)
    assert site.paths().count("/bad.edf") == 11


def test_the_body_of_a_redirect_is_not_read(pair, site, client, tmp_path):
    site.tricks["/bad.edf"] = [flood("Location: /good.edf", chunked=True, status=302)]
    assert download(pair, tmp_path, None, client) == {}
    assert site.sent < SHORT


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:1", "", "http://[bad", "httpx://127.0.0.1/"]
)
def test_a_redirect_out_of_the_web_is_not_followed(pair, site, client, tmp_path, location):
    site.tricks["/bad.edf"] = [sends_to(location)] * 9
    assert "which is no address of the web" in failure(pair, tmp_path, client)
    assert site.paths().count("/bad.edf") == 1


@pytest.mark.parametrize(
    "target, address, kind",
    [
        ("inside.example", "10.0.0.1", "private"),
        ("inside.example", "192.168.1.1", "private"),
        ("inside.example", "100.64.0.1", "private"),
        ("inside.example", "127.0.0.1", "loopback"),
        ("inside.example", "169.254.169.254", "link-local"),
        ("inside.example", "0.0.0.0", "private"),
        ("inside.example", "::1", "loopback"),
        ("inside.example", "fe80::1%2", "link-local"),
        ("inside.example", "fd00::1", "private"),
        ("inside.example", "::ffff:127.0.0.1", "loopback"),
        ("inside.example", "2002:7f00:1::", "loopback"),
        ("2130706433", "127.0.0.1", "loopback"),
    ],
)
def test_a_public_server_cannot_send_us_into_our_own_network(pair, site, client, tmp_path, target, address, kind):
    known = {"127_0_0_1": "93.184.216.34", target.replace(".", "_"): address}
    site.tricks["/bad.edf"] = [sends_to(f"http://{target}/x")] * 9
    why = failure(pair, tmp_path, resolving(client, **known))
    assert f"sends on to {target}, a {kind} address: not followed" in why
    assert site.paths().count("/bad.edf") == 1


def test_a_host_is_looked_up_as_the_connection_reads_it(pair, site, client, tmp_path):
    known = {"127_0_0_1": "93.184.216.34", "public_example": "93.184.216.35"}
    for location in (r"http://public.example\@localhost/x", r"http://localhost\@public.example/x"):
        site.tricks["/bad.edf"] = [sends_to(location)] * 9
        out = tmp_path / str(len(location))
        asked = []

        def resolve(host, asked=asked):
            asked.append(host)
            return [known.get(host.replace(".", "_"), "127.0.0.1")]

        download(pair, out, None, Client(attempts=1, sleep=lambda s: None, timeout_s=1, resolve=resolve))
        assert not (out / "bad.edf").exists()
        assert asked


def test_a_server_of_our_own_may_send_to_another_of_the_same_kind(pair, site, client, tmp_path):
    site.files["/there.edf"] = BODY
    site.tricks["/bad.edf"] = [sends_to(site.url.replace("127.0.0.1", "localhost") + "there.edf")]
    known = {"127_0_0_1": "127.0.0.1", "localhost": "127.0.0.1"}
    assert download(pair, tmp_path / "a", None, resolving(client, **known)) == {}
    site.tricks["/bad.edf"] = [sends_to("http://router.example/")] * 9
    inside = resolving(client, **known, router_example="192.168.0.1")
    assert "router.example, a private address" in failure(pair, tmp_path / "b", inside)


def answer(url: str, location: str) -> SimpleNamespace:
    return SimpleNamespace(url=url, headers={"Location": location})


@pytest.mark.parametrize(
    "start, location, words",
    [
        ("https://a.example/x", "http://a.example/x", "from https to http"),
        ("https://a.example/s3cr3t/x", "https://b.example/s3cr3t/x", "your token on to b.example"),
        ("https://a.example/x?t=s3cr3t", "//b.example/?t=s3cr3t", "your token on to b.example"),
        ("https://a.example/s3cr3t/x", "https://b.example/%73%33cr3t/x", "your token on to b.example"),
        ("https://a.example/s3cr3t/x", "https://b.example/%2573%2533cr3t/x", "your token on to b.example"),
        ("https://a.example/s3cr3t/x", "https://a.example:8443/s3cr3t/x", "your token on to a.example"),
    ],
)
def test_neither_the_token_nor_the_encryption_is_given_up(start, location, words):
    with pytest.raises(RedirectError, match=words):
        next_address(start, answer(start, location), "s3cr3t", lambda host: ["93.184.216.34"])


@pytest.mark.parametrize(
    "start, location, following",
    [
        ("https://a.example/s3cr3t/x", "/s3cr3t/y", "https://a.example/s3cr3t/y"),
        ("http://a.example/s3cr3t/x", "https://a.example/s3cr3t/x", "https://a.example/s3cr3t/x"),
        ("https://a.example/s3cr3t/x", "https://b.example/?signed=1", "https://b.example/?signed=1"),
        ("https://a.example/x", "http\xe4.edf", "https://a.example/http%EF%BF%BD.edf"),
        ("https://a.example/x", "\xc3\xa4.edf", "https://a.example/%C3%A4.edf"),
    ],
)
def test_what_else_a_redirect_may_do(start, location, following):
    assert next_address(start, answer(start, location), "s3cr3t", lambda host: ["93.184.216.34"]) == following


def test_the_token_goes_to_no_other_server(site, tmp_path):
    token = "s3cr3t-s3cr3t"
    name = f"{EDFS}/a.edf"
    listed = [
        {"full_path": name, "is_file": True, "file_size": 5, "file_checksum_md5": hashlib.md5(b"12345").hexdigest()}
    ]
    for top in (EDFS, "polysomnography/annotations-events-nsrr", "datasets"):
        path = "/api/v1/datasets/shhs/files.json?" + urlencode({"path": top, "auth_token": token})
        site.files[path] = json.dumps(listed if top == EDFS else []).encode()
    file = f"/datasets/shhs/files/a/{token}/m/hypnoflow/{name}"
    other = site.url.replace("127.0.0.1", "localhost")
    site.tricks[file] = [sends_to(f"{other}stolen/{token}")] * 9
    client = Client(token, sleep=lambda pause_s: None, timeout_s=5)
    (why,) = download(NsrrServer("shhs", url=site.url.rstrip("/")), tmp_path, None, client).values()
    assert "sends your token on to localhost: not followed" in why
    assert token not in why
    assert not any("stolen" in path for path in site.paths())

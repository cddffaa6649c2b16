"""A local server that serves a small tree and misbehaves on demand; nothing else can be reached."""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import threading
import time
from dataclasses import dataclass, field

import pytest
from tests.unit.download.tricks import BODY, Listed

from hypnoflow.download._files import RemoteFile
from hypnoflow.download.client import Client


@dataclass
class Site:
    """What the server has, how it misbehaves, and what it was asked.

    files : path → body. types : path → Content-Type. tricks : path → list of tricks, one used up by each request:
    an int is a status, "cut" ends the connection half way, "slow" waits before answering, bytes are another body, and
    a function gets the handler and answers by itself. sent : bytes that `flood` could send before it was left.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    tricks: dict[str, list] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    ranges: bool = True
    sent: int = 0

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class Answering(http.server.BaseHTTPRequestHandler):
    """Ways to answer that no honest server has."""

    site: Site

    def head(self, status: int, *headers: str) -> None:
        """Send a status and headers exactly as they are given."""
        self.close_connection = True
        lines = [f"HTTP/1.1 {status} x", *headers, "Connection: close", "", ""]
        self.wfile.write("\r\n".join(lines).encode("latin-1"))

    def flood(self, n_bytes: int, piece: bytes = bytes(1 << 16), chunked: bool = False) -> None:
        """Send until `n_bytes` are out or nobody listens any more."""
        data = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
        with contextlib.suppress(OSError):
            while self.site.sent < n_bytes:
                self.wfile.write(data)
                self.site.sent += len(piece)

    def log_message(self, *args):
        pass


def handler_of(site: Site) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(Answering):
        def do_GET(self):
            site.asked.append((self.path, self.headers.get("Range", "")))
            tricks = site.tricks.get(self.path, [])
            trick = tricks.pop(0) if tricks else None
            if callable(trick):
                trick(self)
                return
            if trick == "slow":
                time.sleep(1)
            body = trick if isinstance(trick, bytes) else site.files.get(self.path)
            if isinstance(trick, int):
                self.answer(trick, b"no", 2)
            elif body is None:
                self.answer(404, b"<html>not here</html>", 21)
            else:
                self.send(body, cut=trick == "cut")

        def send(self, body: bytes, cut: bool) -> None:
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if site.ranges else None
            start = int(match[1]) if match else 0
            if match and start >= len(body):
                self.answer(416, b"", 0, {"Content-Range": f"bytes */{len(body)}"})
                return
            rest = body[start:]
            more = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if match else {}
            self.answer(206 if match else 200, rest[: len(rest) // 2] if cut else rest, len(rest), more)

        def answer(self, status: int, body: bytes, length: int, more: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.send_header("Content-Type", site.types.get(self.path, "application/octet-stream"))
            for name, value in {**site.headers, **(more or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    Handler.site = site
    return Handler


@pytest.fixture
def site(monkeypatch):
    """A running server; its address is `site.url`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Site()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(made))
    made.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch):
    """Refuse every connection that is not to this machine."""
    connect = socket.socket.connect

    def checked(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a test wants to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)


@pytest.fixture
def client():
    return Client(sleep=lambda pause_s: None, timeout_s=5)


@pytest.fixture
def pair(site):
    """Two files of published sizes; what happens to the second tells whether the others go on."""
    site.files |= {"/bad.edf": BODY, "/good.edf": BODY}
    return Listed([RemoteFile(n, (site.url + n,), size=len(BODY)) for n in ("bad.edf", "good.edf")])

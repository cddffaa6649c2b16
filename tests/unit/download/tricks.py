"""What the tests of hostile servers and of the output folder share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hypnoflow.download._files import RemoteFile
from hypnoflow.download.client import Client
from hypnoflow.download.fetch import download

BODY = bytes(range(256)) * 20
MB = 1 << 20
FLOOD = 64 * MB  # what a server sends if it is let; what the sockets hold is far less
SHORT = 8 * MB  # a bound above what the sockets of two processes hold


@dataclass
class Listed:
    """A source with a list of its own."""

    listed: list[RemoteFile]
    needs_token: bool = False

    def files(self, client: Client) -> list[RemoteFile]:
        return self.listed


def failure(source: Listed, out: Path, client: Client) -> str:
    """Return why bad.edf failed, after a look that good.edf came and nothing else stayed."""
    failed = download(source, out, None, client)
    assert set(failed) == {"bad.edf"}
    assert {p.name for p in out.iterdir() if p.suffix not in (".txt", ".json")} == {"good.edf"}
    assert (out / "good.edf").read_bytes() == BODY
    assert "\n" not in failed["bad.edf"]
    return failed["bad.edf"]


def flood(*headers: str, chunked: bool = False, status: int = 200, n_bytes: int = FLOOD):
    def send(handler):
        handler.head(status, *headers, *(["Transfer-Encoding: chunked"] if chunked else []))
        handler.flood(n_bytes, chunked=chunked)

    return send
